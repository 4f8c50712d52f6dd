//! Other programs, run for a step. Their output is shown when they fail, and they end when the deployment ends.

use std::{
    io::{self, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::sleep,
};

use super::error::StepError;

/// So many lines of output are shown when a program fails.
const SHOWN_LINES: usize = 20;
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) fn new(program: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Kills its process when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the process has ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end.
pub(super) async fn output(mut command: Command) -> Result<Output, StepError> {
    let name = display_name(&command);
    let run = async {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running(command.spawn()?);
        let stdout = spawn_blocking(read(running.0.stdout.take()));
        let stderr = spawn_blocking(read(running.0.stderr.take()));
        let status = loop {
            match running.0.try_wait()? {
                Some(status) => break status,
                None => sleep(POLL_INTERVAL).await,
            }
        };
        Ok::<_, io::Error>(Output { status, stdout: stdout.await?, stderr: stderr.await? })
    };
    run.await.map_err(|source| StepError::CommandNotRun { command: name, source })
}

/// Reads to the end; output that cannot be read is treated as empty.
fn read(from: Option<impl Read + Send + 'static>) -> impl FnOnce() -> String + Send + 'static {
    move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Runs a program to its successful end and returns its standard output.
pub(super) async fn run(command: Command) -> Result<String, StepError> {
    let name = display_name(&command);
    let Output { status, stdout, stderr } = output(command).await?;
    if status.success() {
        return Ok(stdout);
    }
    let lines: Vec<&str> = stdout.lines().chain(stderr.lines()).filter(|line| !line.is_empty()).collect();
    let output = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n  ");
    Err(StepError::CommandFailed { command: name, status, output })
}

pub(super) fn display_name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Returns when this process receives SIGTERM or SIGINT.
pub(super) async fn interrupted() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
