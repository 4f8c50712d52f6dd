//! Other programs, run for a step: what they said is shown when they fail, and they end when the deployment does.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::sleep,
};

use super::Came;

/// So many lines of what a program said are shown when it fails.
const LINES: usize = 20;
/// How often it is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A program and its arguments, in a folder.
pub(super) fn command(program: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

/// What a program said before it ended.
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) output: String,
    pub(super) complaints: String,
}

/// A program that runs; ended when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or is to.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it to its end, whatever that is.
pub(super) async fn hear(mut command: Command) -> Came<Said> {
    let name = name_of(&command);
    let cannot = |error: &dyn std::fmt::Display| {
        format!("`{name}` cannot be run: {error}. See that it is installed, and that this user may run it.")
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().map_err(|error| cannot(&error))?);
    let output = spawn_blocking(read(running.0.stdout.take()));
    let complaints = spawn_blocking(read(running.0.stderr.take()));
    let status = loop {
        match running.0.try_wait().map_err(|error| cannot(&error))? {
            Some(status) => break status,
            None => sleep(LOOK).await,
        }
    };
    let output = output.await.map_err(|error| cannot(&error))?;
    let complaints = complaints.await.map_err(|error| cannot(&error))?;
    Ok(Said { status, output, complaints })
}

/// Reads to the end; what cannot be read is not there.
fn read(from: Option<impl Read + Send + 'static>) -> impl FnOnce() -> String + Send + 'static {
    move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Runs it to a good end; what it wrote to its standard output.
pub(super) async fn run(command: Command) -> Came<String> {
    let name = name_of(&command);
    let said = hear(command).await?;
    if said.status.success() {
        return Ok(said.output);
    }
    let lines = said.output.lines().chain(said.complaints.lines()).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    Err(format!("`{name}` said no ({}):\n  {last}", said.status))
}

fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Returns when somebody asks this process to end.
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
