//! The machine: its clock, its limits, its temporary folder.

use std::fs;

use store::TimeUs;

use super::Bench;
use super::Outcome;
use application::clock::rfc3339;
use telemetry::process_limits;

/// What the connections of `server.max_connections` need, and some more.
const LEAST_FILES: u64 = 4_352;
/// 2026-01-01, when this program did not exist yet.
const BEFORE_US: i64 = 1_767_225_600_000_000;
/// Clocks differ by so much, in seconds, without harm.
const TOLERATED_S: i64 = 300;

pub(super) async fn temp_folder(_: &Bench) -> Outcome {
    let folder = std::env::temp_dir();
    let file = folder.join(format!("ba-copilot-doctor-{}", std::process::id()));
    let written = fs::File::create_new(&file).map(|_| ());
    match written.and_then(|()| fs::remove_file(&file)) {
        Ok(()) => Outcome::ok(folder.display().to_string()),
        Err(error) => Outcome::problem(
            format!("{} cannot be written: {error}", folder.display()),
            "Make it writable, or set TMPDIR to a folder that is; databases sort there what does not fit into memory.",
        ),
    }
}

pub(super) async fn open_files(_: &Bench) -> Outcome {
    // Only Linux tells it in this way. The server raises the soft limit to the hard one.
    match process_limits::open_files() {
        Some((_, limit)) if limit < LEAST_FILES => Outcome::warning(
            format!("{limit} files may be open at once, and each connection is one"),
            format!(
                "Allow {LEAST_FILES} or more: LimitNOFILE= in systemd, ulimits in Compose, or ulimit -Hn."
            ),
        ),
        Some((_, u64::MAX)) => Outcome::ok("any number of files may be open"),
        Some((_, limit)) => Outcome::ok(format!("{limit} files may be open at once")),
        None => Outcome::skipped("this system does not say"),
    }
}

pub(super) async fn clock(bench: &Bench) -> Outcome {
    let now = bench.clock.now_us();
    let cure = "Set the clock, and keep it right with NTP (for example systemd-timesyncd or chrony): sessions, tokens, one-time codes and sign-ins with a provider depend on it.";
    if now.as_micros() < BEFORE_US {
        return Outcome::problem(format!("it is {} here", rfc3339(now)), cure);
    }
    let newest = match bench.current() {
        Ok((_, store)) => store.find_newest_change().await.ok().flatten(),
        Err(_) => None,
    };
    match newest.filter(|newest| is_later(*newest, now)) {
        Some(newest) => Outcome::problem(
            format!(
                "it is {} here, and the newest change in the database is of {}",
                rfc3339(now),
                rfc3339(newest)
            ),
            cure,
        ),
        None => Outcome::ok(rfc3339(now)),
    }
}

fn is_later(newest: TimeUs, now: TimeUs) -> bool {
    newest > now.plus_seconds(TOLERATED_S)
}
