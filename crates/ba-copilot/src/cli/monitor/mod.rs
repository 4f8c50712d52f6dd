//! `monitor`: shows the state of running servers, on a screen, as text or as JSON.

mod screen;
mod text;

use std::{io::IsTerminal, time::Duration};

use super::{CommandResult, Failure, Verdict, block_on, print};
use operations::{
    monitor::{Monitor, Reading, State},
    server_client::ServerClient,
};

/// Flags of `monitor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of a server; can be repeated.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: Vec<String>,
    /// Continue until interrupted: on a terminal as a screen, otherwise as text or, with --json, as one line of JSON
    /// per interval.
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
    let last = block_on(async move {
        if watch && !json && std::io::stdout().is_terminal() {
            return screen::show(monitor, interval).await;
        }
        // Rates need two readings.
        let mut last = monitor.read().await;
        loop {
            tokio::time::sleep(interval).await;
            last = match last.iter().all(|reading| reading.state == State::Unreachable) && !watch {
                true => last,
                false => monitor.read().await,
            };
            print(&format_readings(&last, json, watch)?);
            if !watch {
                return Ok(last);
            }
        }
    })??;
    verdict(&last)
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
        let reason = reading.error.as_deref().unwrap_or("does not response");
        return Err(Failure::Other(format!("{} {reason}.", reading.url)));
    }
    Ok(Verdict::from_clean(readings.iter().all(|reading| reading.state < State::Unhealthy)))
}
