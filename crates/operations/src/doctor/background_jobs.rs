//! Work in the background: jobs, webhooks, backups.

use store::OpenWork;

use super::context::CheckContext;
use crate::{
    backup::{BackupContext, list_backups},
    diagnostics::{CheckFailure, CheckResult, Outcome},
};
use application::accounts::users;

/// A job that waits longer has no worker.
const LATE_S: i64 = 900;
const FAILING_S: i64 = 86_400;
/// One day, and the time to make a backup.
const MAX_BACKUP_AGE_S: i64 = 26 * 3600;
const MAKE_ONE: &str = "Create and verify one: `ba-copilot backup create`, then `ba-copilot backup verify`. Better: \
                        let the server do it every day (docs/operations.md).";

async fn open_work(context: &CheckContext, within_s: i64) -> Result<OpenWork, CheckFailure> {
    let (_, store) = context.current()?;
    let since = context.clock.now_us().plus_seconds(-within_s);
    store.find_open_work(since).await.map_err(|error| CheckFailure::skipped(error.to_string()))
}

pub(super) async fn jobs(context: &CheckContext) -> CheckResult {
    let work = open_work(context, LATE_S).await?;
    Ok(match work.late_jobs + work.abandoned_jobs {
        0 => Outcome::ok(format!("{} are open, none is overdue", work.jobs)),
        _ => Outcome::warning(
            format!(
                "{} have waited and {} were abandoned by their worker for more than {} minutes",
                work.late_jobs,
                work.abandoned_jobs,
                LATE_S / 60
            ),
            "Check that a server of the role all uses this database. If one does and the number grows, raise \
             jobs.at_once.",
        ),
    })
}

pub(super) async fn webhooks(context: &CheckContext) -> CheckResult {
    let work = open_work(context, FAILING_S).await?;
    Ok(match work.disabled_webhooks + work.failing_webhooks {
        0 => Outcome::ok(format!("{} webhooks", work.webhooks)),
        _ => Outcome::warning(
            format!(
                "{} are disabled, and {} have failed for a day",
                work.disabled_webhooks, work.failing_webhooks
            ),
            "See the reason in their deliveries (project, Webhooks). Correct the address and enable them, or delete \
             them.",
        ),
    })
}

pub(super) async fn backup(context: &CheckContext) -> CheckResult {
    let (app, _) = context.current()?;
    let has_accounts = users::is_set_up(app).await.unwrap_or(false);
    let backups = BackupContext { config: app.config.as_ref().clone(), clock: context.clock.clone() };
    let listed = async { list_backups(&backups, &backups.location()?).await };
    let found = match listed.await {
        Ok(found) => found,
        Err(error) => {
            return Ok(Outcome::failed(error.to_string(), "Correct the setting backup.dir."));
        }
    };
    let Some(newest) = found.first() else {
        let is_wanted = has_accounts || !app.config.backup.dir.as_os_str().is_empty();
        return Ok(match is_wanted {
            true => Outcome::warning(
                format!("there is none in {}", backups.config.backup_dir().display()),
                MAKE_ONE,
            ),
            false => Outcome::skipped("there are no accounts and no backups"),
        });
    };
    let location = &newest.location;
    let age_s = (context.clock.now_us().as_micros() - newest.created_at.as_micros()) / 1_000_000;
    if age_s > MAX_BACKUP_AGE_S {
        return Ok(Outcome::warning(format!("the newest one is {} hours old", age_s / 3600), MAKE_ONE));
    }
    Ok(match &newest.verification {
        Some(verification) if verification.good => Outcome::ok(format!("{location}, verified")),
        Some(_) => Outcome::failed(
            format!("{location} cannot be restored"),
            "Create another one now, and find the reason with `ba-copilot backup verify`. Keep the last good one.",
        ),
        None => Outcome::warning(format!("{location} was never verified"), MAKE_ONE),
    })
}
