//! `monitor`: shows the state of running servers as text or as JSON.

mod text;

use std::{io::IsTerminal, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::{CommandResult, Failure, Verdict, block_on, print};
use operations::{
    monitor::{Monitor, Reading, State},
    server_client::ServerClient,
};

/// The alternate screen of a terminal, which leaves what was shown before as it is.
const ENTER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_SCREEN: &str = "\x1b[?1049l";
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Flags of `monitor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of a server; can be repeated.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: Vec<String>,
    /// Continue until Ctrl-C: a terminal shows the newest reading; otherwise each is written, with --json as one line.
    #[arg(long)]
    watch: bool,
    /// Seconds between two readings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let clients = arguments.url.iter().map(|url| ServerClient::new(url, None));
    let clients =
        clients.collect::<Result<Vec<_>, _>>().map_err(|error| Failure::Other(error.to_string()))?;
    let interval = Duration::from_secs(arguments.interval);
    let mut monitor = Monitor::new(clients);
    let (json, watch) = (arguments.json, arguments.watch);
    let on_screen = watch && !json && std::io::stdout().is_terminal();
    if on_screen {
        print(ENTER_SCREEN);
    }
    let last = block_on(async move {
        // One listener for the whole time: an interrupt between two waits is not lost.
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::Other(format!("Ctrl-C cannot be handled: {error}.")))?;
        // Rates need two readings.
        let mut last = tokio::select! {
            readings = monitor.read() => readings,
            _ = interrupts.recv() => return Ok::<_, Failure>(Vec::new()),
        };
        loop {
            if on_screen {
                print(&format!("{CLEAR}{}Ctrl-C ends.\n", format_readings(&last, json, watch)?));
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => (),
                _ = interrupts.recv() => return Ok(last),
            }
            last = match last.iter().all(|reading| reading.state == State::Unreachable) && !watch {
                true => last,
                false => tokio::select! {
                    readings = monitor.read() => readings,
                    _ = interrupts.recv() => return Ok(last),
                },
            };
            if !on_screen {
                print(&format_readings(&last, json, watch)?);
            }
            if !watch {
                return Ok(last);
            }
        }
    });
    if on_screen {
        print(LEAVE_SCREEN);
    }
    verdict(&last??)
}

fn format_readings(readings: &[Reading], json: bool, lines: bool) -> Result<String, Failure> {
    let failed = |error: serde_json::Error| Failure::Other(error.to_string());
    Ok(match (json, lines) {
        (true, true) => format!("{}\n", serde_json::to_string(readings).map_err(failed)?),
        (true, false) => format!("{}\n", serde_json::to_string_pretty(readings).map_err(failed)?),
        (false, _) => readings.iter().map(text::block).collect(),
    })
}

/// A server that cannot be reached is an error; an unhealthy one is a finding.
fn verdict(readings: &[Reading]) -> CommandResult {
    let unreachable = readings.iter().find(|reading| reading.state == State::Unreachable);
    if let Some(reading) = unreachable {
        let reason = reading.error.as_deref().unwrap_or("does not respond");
        return Err(Failure::Other(format!("{} {reason}.", reading.url)));
    }
    Ok(Verdict::from_clean(readings.iter().all(|reading| reading.state < State::Unhealthy)))
}
