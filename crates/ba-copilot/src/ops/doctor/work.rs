//! What goes on without anybody watching: jobs, webhooks, backups.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use store::{OpenWork, TimeUs};

use super::{Bench, Outcome, Status};
use crate::{
    app::App,
    config::S3_SCHEME,
    ops::backup::{Seen, Site, list_backups},
    service::accounts::people,
};

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
        Ok((app, _)) => (app, people::is_set_up(app).await.unwrap_or(false)),
        Err(outcome) => return outcome,
    };
    // Of a part of the program that this one may have been built without.
    let named = bench.inspection.setting("backup.dir").and_then(|setting| setting.value.as_str());
    if named.is_some_and(|dir| dir.starts_with(S3_SCHEME)) {
        return far_backup(bench, app).await;
    }
    let named = named.filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| app.config.data.dir.join("backups"));
    let newest = match newest_backup(&folder) {
        Ok(newest) => newest,
        Err(error) if named.is_some() => {
            return Outcome::problem(
                format!("{} cannot be read: {error}", folder.display()),
                "Make the folder, or correct the setting backup.dir.",
            );
        }
        Err(_) => None,
    };
    let cure = MAKE_ONE;
    let Some((name, made)) = newest else {
        return match with_people || named.is_some() {
            true => Outcome::warning(format!("there is none in {}", folder.display()), cure),
            false => Outcome::skipped("there are no accounts and no backups"),
        };
    };
    judge(bench, &name, made, verified(&folder, &name))
}

/// The same of storage that is no folder.
async fn far_backup(bench: &Bench, app: &App) -> Outcome {
    let site = Site { config: app.config.as_ref().clone(), clock: bench.clock.clone() };
    let listed = async {
        match site.place()? {
            Some(place) => list_backups(&site, &place).await,
            None => Ok(Vec::new()),
        }
    };
    match listed.await {
        Err(error) => Outcome::problem(error.to_string(), "Do so, or correct the setting backup.dir."),
        Ok(found) => match found.first() {
            None => {
                Outcome::warning(format!("there is none at {}", app.config.backup.dir.display()), MAKE_ONE)
            }
            Some(newest) => {
                let status = |seen: &Seen| if seen.good { Status::Ok } else { Status::Problem };
                let tried = newest.seen.as_ref().map(status);
                judge(bench, &newest.place.to_string(), newest.created_at, tried)
            }
        },
    }
}

/// What to think of the newest one.
fn judge(bench: &Bench, name: &str, made: TimeUs, tried: Option<Status>) -> Outcome {
    let cure = MAKE_ONE;
    let age_s = (bench.clock.now_us().as_micros() - made.as_micros()) / 1_000_000;
    if age_s > OLD_S {
        return Outcome::warning(format!("the newest is {} hours old", age_s / 3600), cure);
    }
    match tried {
        Some(Status::Ok) => Outcome::ok(format!("{name}, which was tried")),
        Some(_) => Outcome::problem(
            format!("{name} was tried, and cannot be restored"),
            "Make another one now, and find out why with `ba-copilot backup verify`; keep the last good one.",
        ),
        None => Outcome::warning(format!("{name} was never tried"), cure),
    }
}

/// The newest file that may be a backup, and when it was made.
fn newest_backup(folder: &Path) -> std::io::Result<Option<(String, TimeUs)>> {
    let mut newest: Option<(String, SystemTime)> = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let found = entry.metadata()?;
        let other = name.starts_with('.') || [".json", ".tmp", ".part"].iter().any(|end| name.ends_with(end));
        if other || !found.is_file() {
            continue;
        }
        let made = found.modified()?;
        if newest.as_ref().is_none_or(|(_, newest)| made > *newest) {
            newest = Some((name, made));
        }
    }
    Ok(newest.map(|(name, made)| {
        let since: Duration = made.duration_since(UNIX_EPOCH).unwrap_or_default();
        (name, TimeUs::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }))
}

/// What is written beside a backup that was tried; none if it was not.
fn verified(folder: &Path, name: &str) -> Option<Status> {
    let text = fs::read_to_string(folder.join(format!("{name}.verified.json"))).ok()?;
    let told: Value = serde_json::from_str(&text).ok()?;
    Some(if told["good"].as_bool() == Some(true) { Status::Ok } else { Status::Problem })
}
