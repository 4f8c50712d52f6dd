//! The machine: clock, limits, folder for temporary files.

use std::fs;

use store::TimeUs;

use super::context::CheckContext;
use crate::diagnostics::{CheckResult, Outcome};
use application::clock::rfc3339;
use telemetry::process_limits;

/// `server.max_connections`, and a margin.
const MIN_OPEN_FILES: u64 = 4_352;
/// 2026-01-01, before the first version.
const EARLIEST_US: i64 = 1_767_225_600_000_000;
/// A difference between clocks that does no harm.
const TOLERATED_S: i64 = 300;

pub(super) async fn temp_folder(_: &CheckContext) -> CheckResult {
    let folder = std::env::temp_dir();
    let file = folder.join(format!("ba-copilot-doctor-{}", std::process::id()));
    let written = fs::File::create_new(&file).map(|_| ());
    Ok(match written.and_then(|()| fs::remove_file(&file)) {
        Ok(()) => Outcome::ok(folder.display().to_string()),
        Err(error) => Outcome::failed(
            format!("{} is not writable: {error}", folder.display()),
            "Make it writable, or set TMPDIR to a folder that is. Databases store sorted rows there that do not fit \
             into memory.",
        ),
    })
}

pub(super) async fn open_files(_: &CheckContext) -> CheckResult {
    // Linux only. The server raises the soft limit to the hard one.
    Ok(match process_limits::open_files() {
        Some((_, limit)) if limit < MIN_OPEN_FILES => Outcome::warning(
            format!("at most {limit} files can be open at once; each connection needs one"),
            format!(
                "Allow {MIN_OPEN_FILES} or more: LimitNOFILE= in systemd, ulimits in Compose, or ulimit -Hn."
            ),
        ),
        Some((_, u64::MAX)) => Outcome::ok("no limit"),
        Some((_, limit)) => Outcome::ok(format!("{limit} files can be open at once")),
        None => Outcome::skipped("not known on this system"),
    })
}

pub(super) async fn clock(context: &CheckContext) -> CheckResult {
    let now = context.clock.now_us();
    let cure = "Set the clock, and synchronize it with NTP (for example systemd-timesyncd or chrony). Sessions, \
                tokens, one-time codes and sign-in with a provider depend on it.";
    if now.as_micros() < EARLIEST_US {
        return Ok(Outcome::failed(format!("the clock says {}", rfc3339(now)), cure));
    }
    let newest = match context.current() {
        Ok((_, store)) => store.find_newest_change().await.ok().flatten(),
        Err(_) => None,
    };
    Ok(match newest.filter(|newest| is_later(*newest, now)) {
        Some(newest) => Outcome::failed(
            format!(
                "the clock says {}, and the newest change in the database is of {}",
                rfc3339(now),
                rfc3339(newest)
            ),
            cure,
        ),
        None => Outcome::ok(rfc3339(now)),
    })
}

fn is_later(newest: TimeUs, now: TimeUs) -> bool {
    newest > now.plus_seconds(TOLERATED_S)
}
