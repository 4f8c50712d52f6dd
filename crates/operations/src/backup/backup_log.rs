//! Audit events about backups. They have no user, because operators create backups. They contain names of files, and
//! neither their locations nor their contents.

use serde_json::{Value, json};
use store::{AuditEventId, ConnectOptions, JsonText, NewAuditEvent, Store, StoreError};

use super::{
    context::BackupContext, error::Error, files::parent_folder, location::Location, manifest::Manifest,
};
use application::data_lock::DataLock;

/// Records that a backup was created.
pub(super) async fn record_created(
    context: &BackupContext,
    store: &Store,
    location: &Location,
    size_bytes: u64,
    deleted: usize,
) {
    let details = json!({
        "size_bytes": size_bytes,
        "encrypted": context.passphrase().is_some(),
        "storage": storage_name(location),
        "deleted": deleted,
    });
    let written = record(context, store, "backup.create", &location.name(), &details).await;
    log_failure(written);
}

/// Records in the database of this installation, if there is one, that a backup was verified.
pub(super) async fn record_verified(context: &BackupContext, location: &Location, good: bool) {
    let details = json!({"good": good, "storage": storage_name(location)});
    let written = async {
        let mut hold = None;
        if let Some(file) = context.config.sqlite_file() {
            // Creates no database, and does not write to one that is being replaced.
            if !file.exists() {
                return Ok(());
            }
            hold = Some(DataLock::share(&parent_folder(&file))?);
        }
        let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
        let store = Store::connect(&context.config.database_url(), &options).await?;
        let written = record(context, &store, "backup.verify", &location.name(), &details).await;
        store.close().await;
        drop(hold);
        Ok::<_, Error>(written?)
    };
    log_failure(written.await);
}

/// Records in a restored database which backup it comes from.
///
/// # Errors
/// Only those of the database.
pub(super) async fn record_restored(
    context: &BackupContext,
    url: &str,
    location: &Location,
    manifest: &Manifest,
) -> Result<(), Error> {
    let details = json!({
        "made_at": manifest.created_at,
        "version": manifest.version,
        "storage": storage_name(location),
    });
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let store = Store::connect(url, &options).await?;
    let written = record(context, &store, "backup.restore", &location.name(), &details).await;
    store.close().await;
    Ok(written?)
}

fn storage_name(location: &Location) -> &'static str {
    match location {
        Location::Folder(_) => "folder",
        Location::S3(_) => "s3",
    }
}

/// A failure to record is logged: the action itself is complete.
fn log_failure(written: Result<(), impl std::fmt::Display>) {
    if let Err(error) = written {
        tracing::warn!("An action on a backup could not be recorded in the audit log: {error}");
    }
}

async fn record(
    context: &BackupContext,
    store: &Store,
    action: &'static str,
    subject: &str,
    details: &Value,
) -> Result<(), StoreError> {
    let event = NewAuditEvent {
        id: AuditEventId::parse(context.clock.new_id("aud"))?,
        at: context.clock.now_us(),
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
