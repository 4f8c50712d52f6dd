//! `verify`: the suite that is run against a server after a deployment.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use llm::SecretString;

use super::{CommandResult, Failure, Verdict, block_on, print, say};
use application::clock::Clock;
use config::Config;
use operations::{
    target::Target,
    verify::{Done, Options, Outcome, junit, verify_server},
};

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The server, for example http://127.0.0.1:8000
    #[arg(long)]
    url: String,
    /// A token of that server, with the scopes read, write, generate and mcp. Better given as VERIFY_TOKEN: others on this machine
    /// can read arguments. Without accounts none is needed.
    #[arg(long)]
    token: Option<SecretString>,
    /// What must work, separated by commas: web, api, ai, mcp, database, redis, llm; name=URL for one at another address. What the
    /// server itself says it is, if nothing is said.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    services: Vec<String>,
    /// Write the report as JUnit XML too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON.
    #[arg(long)]
    json: bool,
    /// How old the newest verified backup may be, for example 26h; a server without any fails then.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    expect_backup_within: Option<Duration>,
    /// A command that restarts the server; afterwards what was written is read again.
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
    /// How long the server may take to be ready again.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    restart_within: Duration,
}

/// `90s`, `30m`, `26h`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err("write a number and s, m, h or d, such as 26h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a whole number, such as 26h".to_owned())?;
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(|| "this is too long".to_owned())
}

pub(super) fn run(arguments: Arguments, config: &Config) -> CommandResult {
    let token = arguments.token.as_ref().unwrap_or(&config.verify.token);
    let target =
        Target::new(&arguments.url, Some(token)).map_err(|error| Failure::Other(error.to_string()))?;
    let address = target.address();
    let options = Options {
        services: arguments.services.iter().map(|name| name.trim().to_owned()).collect(),
        stands_by: false,
        backup_within: arguments.expect_backup_within,
        restart_command: arguments.restart_command,
        restart_within: arguments.restart_within,
    };
    let signs = std::io::stdout().is_terminal();
    let json = arguments.json;
    let tell = |done: &Done| {
        if !json {
            print(&line(done, signs));
        }
    };
    let report = block_on(verify_server(target, options, Clock::system(), tell))?
        .map_err(|error| Failure::Other(format!("{address} {error}. Is the server running there?")))?;
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit(&report))
            .map_err(|error| Failure::file(&file.display().to_string(), &error))?;
    }
    let (passed, failed, skipped) = report.counts();
    match json {
        true => print(&format!("{:#}\n", report.json())),
        false => print(&format!("{passed} passed, {failed} failed, {skipped} skipped: {address}\n")),
    }
    if skipped > 0 && json {
        say(&format!("{skipped} checks were skipped; the report says why."));
    }
    Ok(Verdict::from_clean(failed == 0))
}

/// One line of a check, and a second one with what to do.
fn line(done: &Done, signs: bool) -> String {
    let (sign, word, said, cure) = match &done.outcome {
        Outcome::Passed(seen) => ("✓", "passed ", seen, None),
        Outcome::Failed { found, cure } => ("✗", "FAILED ", found, Some(cure)),
        Outcome::Skipped(why) => ("–", "skipped", why, None),
    };
    let mark = if signs { sign } else { word };
    let cure = cure.map(|cure| format!("{:width$} → {cure}\n", "", width = mark.chars().count()));
    // What a server says is data: it moves no cursor here.
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{mark} {} ({} ms): {said}\n{}", done.title, done.took.as_millis(), cure.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in
            [("90s", Some(90)), ("30m", Some(1800)), ("26h", Some(93600)), ("2d", Some(172_800))]
        {
            assert_eq!(duration(text).ok().map(|time| time.as_secs()), seconds, "{text}");
        }
        for text in ["", "26", "h", "-1h", "1.5h", "1 w", "99999999999999999999d", "999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
