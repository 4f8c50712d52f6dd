//! What goes on without anybody watching: jobs, webhooks, backups.

use store::OpenWork;

use super::{Bench, Outcome};
use crate::backup::{Site, list_backups};
use application::accounts::users;

/// A job that nobody takes up for so long waits for a server that is not there, in seconds.
const LATE_S: i64 = 900;
/// A webhook that was not told for so long, in seconds.
const FAILING_S: i64 = 86_400;
/// A backup should not be older, in seconds: a day, and time to make it.
const OLD_S: i64 = 26 * 3600;
const MAKE_ONE: &str = "Make and try one: `ba-copilot backup create`, then `ba-copilot backup verify`; best every day, by the server itself (docs/operations.md).";

async fn open_work(bench: &Bench, within_s: i64) -> Result<OpenWork, Outcome> {
    let (_, store) = bench.current()?;
    let since = bench.clock.now_us().plus_seconds(-within_s);
    store.find_open_work(since).await.map_err(|error| Outcome::skipped(error.to_string()))
}

pub(super) async fn jobs(bench: &Bench) -> Outcome {
    let work = match open_work(bench, LATE_S).await {
        Ok(work) => work,
        Err(outcome) => return outcome,
    };
    match work.late_jobs + work.abandoned_jobs {
        0 => Outcome::ok(format!("{} are open, none is late", work.jobs)),
        _ => Outcome::warning(
            format!(
                "{} wait and {} were left by their worker for more than {} minutes",
                work.late_jobs,
                work.abandoned_jobs,
                LATE_S / 60
            ),
            "See that a server of the role all runs on this database. If one does and the number grows, raise jobs.at_once.",
        ),
    }
}

pub(super) async fn webhooks(bench: &Bench) -> Outcome {
    let work = match open_work(bench, FAILING_S).await {
        Ok(work) => work,
        Err(outcome) => return outcome,
    };
    match work.disabled_webhooks + work.failing_webhooks {
        0 => Outcome::ok(format!("{} webhooks", work.webhooks)),
        _ => Outcome::warning(
            format!(
                "{} are told of nothing any more, and {} could not be told for a day",
                work.disabled_webhooks, work.failing_webhooks
            ),
            "Their deliveries say why (project, Webhooks). Mend the address and enable them, or take them away.",
        ),
    }
}

pub(super) async fn backup(bench: &Bench) -> Outcome {
    let (app, with_people) = match bench.current() {
        Ok((app, _)) => (app, users::is_set_up(app).await.unwrap_or(false)),
        Err(outcome) => return outcome,
    };
    let site = Site { config: app.config.as_ref().clone(), clock: bench.clock.clone() };
    let listed = async { list_backups(&site, &site.place()?).await };
    let found = match listed.await {
        Ok(found) => found,
        Err(error) => {
            return Outcome::problem(error.to_string(), "Do so, or correct the setting backup.dir.");
        }
    };
    let Some(newest) = found.first() else {
        let is_wanted = with_people || !app.config.backup.dir.as_os_str().is_empty();
        return match is_wanted {
            true => {
                Outcome::warning(format!("there is none at {}", site.config.backup_dir().display()), MAKE_ONE)
            }
            false => Outcome::skipped("there are no accounts and no backups"),
        };
    };
    let place = &newest.place;
    let age_s = (bench.clock.now_us().as_micros() - newest.created_at.as_micros()) / 1_000_000;
    if age_s > OLD_S {
        return Outcome::warning(format!("the newest is {} hours old", age_s / 3600), MAKE_ONE);
    }
    match &newest.seen {
        Some(seen) if seen.good => Outcome::ok(format!("{place}, which was tried")),
        Some(_) => Outcome::problem(
            format!("{place} was tried, and cannot be restored"),
            "Make another one now, and find out why with `ba-copilot backup verify`; keep the last good one.",
        ),
        None => Outcome::warning(format!("{place} was never tried"), MAKE_ONE),
    }
}
