//! Slots as plain processes, for trials and machines without a service manager. They are not restarted.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{error::StepError, release::Release};

/// The file with the process id and its start time, which tells it from a later process of the same id.
const PID: &str = "pid";
const LOG: &str = "log";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long a killed process may take to end.
const KILL_TIMEOUT: Duration = Duration::from_secs(30);
const SHOWN_LINES: usize = 12;
const SHOWN_CHARS: usize = 400;

pub(super) fn start(
    release: &Release,
    working: &Path,
    folder: &Path,
    variables: &[(String, String)],
) -> Result<(), StepError> {
    let log = folder.join(LOG);
    // The log of the previous process is kept once; there may be none.
    let _ = fs::rename(&log, folder.join("log.before"));
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&log);
    let file =
        file.and_then(|file| Ok((file.try_clone()?, file))).map_err(|error| StepError::file(&log, error))?;
    let child = Command::new(&release.program)
        .arg("serve")
        .current_dir(working)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(file.0)
        .stderr(file.1)
        // A signal to the deployment must not reach the server.
        .process_group(0)
        .spawn()
        .map_err(|error| StepError::file(&release.program, error))?;
    let id = child.id();
    let started = start_time(id).unwrap_or_default();
    fs::write(folder.join(PID), format!("{id} {started}\n"))
        .map_err(|error| StepError::file(&folder.join(PID), error))
}

/// When a process started, in clock ticks since boot; none if it has ended.
fn start_time(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program, in parentheses, can contain spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // An ended process stays in the table until its parent waits for it.
    (state != "Z" && state != "X").then_some(())?;
    fields.nth(18)?.parse().ok()
}

fn running(folder: &Path) -> Option<Pid> {
    let text = fs::read_to_string(folder.join(PID)).ok()?;
    let (id, since) = text.trim().split_once(' ')?;
    let id: u32 = id.parse().ok()?;
    let is_same = start_time(id)?.to_string() == since;
    is_same.then(|| Pid::from_raw(i32::try_from(id).ok()?)).flatten()
}

pub(super) fn is_running(folder: &Path) -> bool {
    running(folder).is_some()
}

pub(super) async fn stop(folder: &Path, timeout: Duration) -> Result<bool, StepError> {
    let mut killed = false;
    if let Some(process) = running(folder) {
        // It fails if the process has just ended.
        let _ = kill_process(process, Signal::TERM);
        let started = Instant::now();
        while is_running(folder) {
            if !killed && started.elapsed() > timeout {
                killed = true;
                let _ = kill_process(process, Signal::KILL);
            }
            if started.elapsed() > timeout + KILL_TIMEOUT {
                return Err(StepError::ProcessStuck(process.as_raw_nonzero().get()));
            }
            sleep(POLL_INTERVAL).await;
        }
    }
    let _ = fs::remove_file(folder.join(PID));
    Ok(killed)
}

pub(super) fn recent_logs(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
    let lines: Vec<String> = log.lines().map(|line| line.chars().take(SHOWN_CHARS).collect()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
