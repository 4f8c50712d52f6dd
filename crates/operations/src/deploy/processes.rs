//! Slots as plain processes of this machine: for trying out, and where there is no service manager. Nothing starts them again.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{Came, Release, fleet::cannot};

/// Where the number of the process is kept, with the moment of its start, so that another one of the same number is not taken for it.
const PID: &str = "pid";
/// What the process tells.
const LOG: &str = "log";
/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);
/// So many lines of the log are shown.
const LINES: usize = 12;
/// And so many characters of each.
const CHARS: usize = 400;

pub(super) fn start(
    release: &Release,
    working: &Path,
    folder: &Path,
    variables: &[(String, String)],
) -> Came<()> {
    let log = folder.join(LOG);
    // What the one before told stays for a while; there may be none.
    let _ = fs::rename(&log, folder.join("log.before"));
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&log);
    let file = file.and_then(|file| Ok((file.try_clone()?, file))).map_err(|error| cannot(&log, &error))?;
    let child = Command::new(&release.program)
        .arg("serve")
        .current_dir(working)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(file.0)
        .stderr(file.1)
        // What ends the deployment must not end what it has started.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}.", release.program.display()))?;
    let id = child.id();
    let begun = begun(id).unwrap_or_default();
    fs::write(folder.join(PID), format!("{id} {begun}\n")).map_err(|error| cannot(&folder.join(PID), &error))
}

/// When a process was started, in ticks since the machine was; none if it has ended.
fn begun(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // One that has ended stays in the table until its parent has looked.
    (state != "Z" && state != "X").then_some(())?;
    fields.nth(18)?.parse().ok()
}

/// The process of a slot, if it runs.
fn running(folder: &Path) -> Option<Pid> {
    let text = fs::read_to_string(folder.join(PID)).ok()?;
    let (id, since) = text.trim().split_once(' ')?;
    let id: u32 = id.parse().ok()?;
    let is_it = begun(id)?.to_string() == since;
    is_it.then(|| Pid::from_raw(i32::try_from(id).ok()?)).flatten()
}

pub(super) fn is_running(folder: &Path) -> bool {
    running(folder).is_some()
}

pub(super) async fn stop(folder: &Path, time: Duration) -> Came<bool> {
    let mut cut = false;
    if let Some(process) = running(folder) {
        // It may end by itself just now.
        let _ = kill_process(process, Signal::TERM);
        let begun = Instant::now();
        while is_running(folder) {
            if !cut && begun.elapsed() > time {
                cut = true;
                let _ = kill_process(process, Signal::KILL);
            }
            if begun.elapsed() > time + Duration::from_secs(30) {
                return Err(format!("The process {} does not end.", process.as_raw_nonzero()));
            }
            sleep(LOOK).await;
        }
    }
    let _ = fs::remove_file(folder.join(PID));
    Ok(cut)
}

pub(super) fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
    let lines: Vec<String> = log.lines().map(|line| line.chars().take(CHARS).collect()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
