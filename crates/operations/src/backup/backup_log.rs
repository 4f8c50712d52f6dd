//! What is done with backups, written down as audit events of the system: nobody's, for whoever runs the program does it. Names of files,
//! never where they lie, and nothing of what is in them.

use serde_json::{Value, json};
use store::{AuditEventId, ConnectOptions, JsonText, NewAuditEvent, Store, StoreError};

use super::{Error, Made, Site, folder, manifest::Manifest, place::Place};
use application::data_lock::DataLock;

/// Notes that a backup was made.
pub(super) async fn record_made(site: &Site, store: &Store, made: &Made) {
    let details = json!({
        "size_bytes": made.size_bytes,
        "encrypted": site.passphrase().is_some(),
        "storage": word(&made.place),
        "deleted": made.deleted.len(),
    });
    let written = record(site, store, "backup.create", &made.place.name(), &details).await;
    tell(written);
}

/// Notes that a backup was tried, in the database of this installation, if that is there.
pub(super) async fn record_tried(site: &Site, place: &Place, good: bool) {
    let details = json!({"good": good, "storage": word(place)});
    let written = async {
        let mut hold = None;
        if let Some(file) = site.config.sqlite_file() {
            // Never makes one, and never writes into one that is being replaced.
            if !file.exists() {
                return Ok(());
            }
            hold = Some(DataLock::share(&folder::of(&file))?);
        }
        let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
        let store = Store::connect(&site.config.database_url(), &options).await?;
        let written = record(site, &store, "backup.verify", &place.name(), &details).await;
        store.close().await;
        drop(hold);
        Ok::<_, Error>(written?)
    };
    tell(written.await);
}

/// Notes in a database that is to be put back that it was, and from what.
///
/// # Errors
/// Only those of the database.
pub(super) async fn record_restored(
    site: &Site,
    url: &str,
    place: &Place,
    manifest: &Manifest,
) -> Result<(), Error> {
    let details = json!({
        "made_at": manifest.created_at,
        "version": manifest.version,
        "storage": word(place),
    });
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let store = Store::connect(url, &options).await?;
    let written = record(site, &store, "backup.restore", &place.name(), &details).await;
    store.close().await;
    Ok(written?)
}

fn word(place: &Place) -> &'static str {
    match place {
        Place::Folder(_) => "folder",
        Place::S3(_) => "s3",
    }
}

/// What was done is done, also where it could not be written down.
fn tell(written: Result<(), impl std::fmt::Display>) {
    if let Err(error) = written {
        tracing::warn!("What was done with a backup is not in the audit log: {error}");
    }
}

async fn record(
    site: &Site,
    store: &Store,
    action: &'static str,
    subject: &str,
    details: &Value,
) -> Result<(), StoreError> {
    let event = NewAuditEvent {
        id: AuditEventId::parse(site.clock.new_id("aud"))?,
        at: site.clock.now_us(),
        user_id: None,
        token_id: None,
        action,
        project_id: None,
        subject: subject.to_owned(),
        details: JsonText::encode(details)?,
        fence: None,
    };
    store.record_audit_event(&event).await
}
