//! `monitor`: running servers, watched. A screen on a terminal, text or JSON elsewhere.

mod screen;
mod text;

use std::{io::IsTerminal, time::Duration};

use super::{CommandResult, Failure, Verdict, block_on, print};
use operations::{
    monitor::{Reading, State, Watch},
    target::Target,
};

/// Flags of `monitor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A server; give it several times for several.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: Vec<String>,
    /// Go on until asked to end: on a terminal as a screen, else as text or, with --json, as a line for each look.
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let targets = arguments.url.iter().map(|url| Target::new(url, None));
    let targets =
        targets.collect::<Result<Vec<_>, _>>().map_err(|error| Failure::Other(error.to_string()))?;
    let interval = Duration::from_secs(arguments.interval);
    let mut watch = Watch::new(targets);
    let (json, go_on) = (arguments.json, arguments.watch);
    let last = block_on(async move {
        if go_on && !json && std::io::stdout().is_terminal() {
            return screen::show(watch, interval).await;
        }
        // Rates need two looks.
        let mut last = watch.look().await;
        loop {
            tokio::time::sleep(interval).await;
            last = match last.iter().all(|reading| reading.state == State::Unreachable) && !go_on {
                true => last,
                false => watch.look().await,
            };
            print(&written(&last, json, go_on)?);
            if !go_on {
                return Ok(last);
            }
        }
    })??;
    verdict(&last)
}

fn written(readings: &[Reading], json: bool, lines: bool) -> Result<String, Failure> {
    let wrong = |error: serde_json::Error| Failure::Other(error.to_string());
    Ok(match (json, lines) {
        (true, true) => format!("{}\n", serde_json::to_string(readings).map_err(wrong)?),
        (true, false) => format!("{}\n", serde_json::to_string_pretty(readings).map_err(wrong)?),
        (false, _) => readings.iter().map(text::block).collect(),
    })
}

/// Who is not there is worse than who is not well.
fn verdict(readings: &[Reading]) -> CommandResult {
    let away = readings.iter().find(|reading| reading.state == State::Unreachable);
    if let Some(away) = away {
        let why = away.error.as_deref().unwrap_or("does not answer");
        return Err(Failure::Other(format!("{} {why}.", away.url)));
    }
    Ok(Verdict::from_clean(readings.iter().all(|reading| reading.state < State::Unhealthy)))
}
