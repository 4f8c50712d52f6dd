//! Backups that the server makes by itself, tries at once, and tells of in its metrics.
//!
//! Several processes that share a folder take turns at it, and none makes a backup that another one has just made. Processes with a folder
//! each make a backup each: one that lies on a machine that is gone is none.

use std::time::Duration;

use store::{Store, TimeUs};
use tokio_util::sync::CancellationToken;

use super::{Error, Found, Place, Site, create::create_from, list_backups, verify_backup};
use application::{app::App, standby::Standby};

/// How often to look whether a backup is due, and what others did.
const LOOK: Duration = Duration::from_secs(30);
/// The same where each look is paid for.
const LOOK_FAR: Duration = Duration::from_secs(300);
/// How long to leave it after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(900);

/// Works until `ending`, but not while the process stands by.
pub async fn run(app: App, standby: Standby, ending: CancellationToken) {
    let site = Site { config: app.config.as_ref().clone(), clock: app.clock.clone() };
    // One that cannot be read was refused when the configuration was loaded.
    let (Some(store), Ok(place)) = (app.store.clone(), site.place()) else { return };
    tokio::select! {
        () = go_on(&site, &store, &place, standby) => (),
        () = ending.cancelled() => (),
    }
}

async fn go_on(site: &Site, store: &Store, place: &Place, mut standby: Standby) {
    let look = match place {
        Place::Folder(_) => LOOK,
        Place::S3(_) => LOOK_FAR,
    };
    loop {
        standby.over().await;
        let wait = match make_if_due(site, store, place).await {
            Ok(()) => look,
            Err(error) => {
                metrics::counter!("ba_copilot_backup_failures_total").increment(1);
                tracing::error!("The database was not backed up, or not well: {error}");
                AFTER_FAILURE
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn make_if_due(site: &Site, store: &Store, place: &Place) -> Result<(), Error> {
    let listed = list_backups(site, place).await;
    if let Ok(backups) = &listed {
        tell(backups);
    }
    if site.config.backup.every_h == 0 {
        return Ok(());
    }
    let every_s = i64::from(site.config.backup.every_h) * 3600;
    let due = site.clock.now_us().plus_seconds(-every_s);
    // Whoever is not due waits for no turn. That what is there cannot be listed is told where one is made.
    if listed.is_ok_and(|backups| backups.first().is_some_and(|newest| newest.created_at > due)) {
        return Ok(());
    }
    let unless_since = Some(due);
    let made = create_from(site, store, place, site.config.backup.keep_days, unless_since).await?;
    let Some(made) = made else { return Ok(()) };
    tell(&list_backups(site, place).await?);
    tracing::info!(backup.size_bytes = made.size_bytes, "The database was backed up");
    verify_backup(site, &made.place).await?;
    tell(&list_backups(site, place).await?);
    tracing::info!("The backup was restored into a database of its own, and everything in it came back");
    Ok(())
}

/// Sets the metrics to what is there, whoever made it.
fn tell(backups: &[Found]) {
    let seconds = |at: TimeUs| (at.as_micros() / 1_000_000) as f64;
    if let Some(newest) = backups.first() {
        metrics::gauge!("ba_copilot_backup_last_created_timestamp_seconds").set(seconds(newest.created_at));
        metrics::gauge!("ba_copilot_backup_size_bytes").set(newest.size_bytes as f64);
    }
    let verified = backups.iter().filter(|backup| backup.is_verified());
    if let Some(at) = verified.filter_map(|backup| backup.seen.as_ref()?.at()).max() {
        metrics::gauge!("ba_copilot_backup_last_verified_timestamp_seconds").set(seconds(at));
    }
}
