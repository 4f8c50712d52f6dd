//! Scheduled backups: created and verified by the server, and reported in its metrics.
//!
//! Processes that share a folder lock it, and skip a backup that another process has just created. Processes with
//! separate folders create separate backups, because a folder can be lost with its machine.

use std::time::Duration;

use store::{Store, TimeUs};
use tokio_util::sync::CancellationToken;

use super::{
    context::BackupContext, create::create_from, entry::BackupEntry, error::Error, location::Location,
    storage::list_backups, verify::verify_backup,
};
use application::{app::App, standby::Standby};

const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Requests to a bucket cost money.
const BUCKET_POLL_INTERVAL: Duration = Duration::from_secs(300);
const RETRY_DELAY: Duration = Duration::from_secs(900);

/// Runs until `ending`, and pauses while the process is on standby.
pub async fn run(app: App, standby: Standby, ending: CancellationToken) {
    let context = BackupContext { config: app.config.as_ref().clone(), clock: app.clock.clone() };
    // An invalid location was refused when the configuration was loaded.
    let (Some(store), Ok(location)) = (app.store.clone(), context.location()) else { return };
    tokio::select! {
        () = run_schedule(&context, &store, &location, standby) => (),
        () = ending.cancelled() => (),
    }
}

async fn run_schedule(context: &BackupContext, store: &Store, location: &Location, mut standby: Standby) {
    let interval = match location {
        Location::Folder(_) => POLL_INTERVAL,
        Location::S3(_) => BUCKET_POLL_INTERVAL,
    };
    loop {
        standby.over().await;
        let wait = match create_if_due(context, store, location).await {
            Ok(()) => interval,
            Err(error) => {
                metrics::counter!("ba_copilot_backup_failures_total").increment(1);
                tracing::error!("The backup failed: {error}");
                RETRY_DELAY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn create_if_due(context: &BackupContext, store: &Store, location: &Location) -> Result<(), Error> {
    let listed = list_backups(context, location).await;
    if let Ok(backups) = &listed {
        set_metrics(backups);
    }
    if context.config.backup.every_h == 0 {
        return Ok(());
    }
    let every_s = i64::from(context.config.backup.every_h) * 3600;
    let due = context.clock.now_us().plus_seconds(-every_s);
    // Without the lock. An error of the listing is reported when the backup is created.
    if listed.is_ok_and(|backups| backups.first().is_some_and(|newest| newest.created_at > due)) {
        return Ok(());
    }
    let unless_since = Some(due);
    let created =
        create_from(context, store, location, context.config.backup.keep_days, unless_since).await?;
    let Some(created) = created else { return Ok(()) };
    set_metrics(&list_backups(context, location).await?);
    tracing::info!(backup.size_bytes = created.size_bytes, "The database was backed up");
    verify_backup(context, &created.location).await?;
    set_metrics(&list_backups(context, location).await?);
    tracing::info!("The backup was verified by a test restore");
    Ok(())
}

fn set_metrics(backups: &[BackupEntry]) {
    let seconds = |at: TimeUs| (at.as_micros() / 1_000_000) as f64;
    if let Some(newest) = backups.first() {
        metrics::gauge!("ba_copilot_backup_last_created_timestamp_seconds").set(seconds(newest.created_at));
        metrics::gauge!("ba_copilot_backup_size_bytes").set(newest.size_bytes as f64);
    }
    let verified = backups.iter().filter(|backup| backup.is_verified());
    if let Some(at) = verified.filter_map(|backup| backup.verification.as_ref()?.at()).max() {
        metrics::gauge!("ba_copilot_backup_last_verified_timestamp_seconds").set(seconds(at));
    }
}
