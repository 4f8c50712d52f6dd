//! `verify`: checks a server after a deployment.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use llm::SecretString;

use super::{CommandResult, Failure, Verdict, block_on, print, say};
use application::clock::Clock;
use config::Config;
use operations::{
    diagnostics::{CheckReport, Status},
    server_client::ServerClient,
    verify::{Options, junit, verify_server},
};

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of the server, for example http://127.0.0.1:8000
    #[arg(long)]
    url: String,
    /// A token of that server with the scopes read, write, generate and mcp. Prefer VERIFY_TOKEN: other users of this
    /// machine can read arguments. A server without accounts needs none.
    #[arg(long)]
    token: Option<SecretString>,
    /// The services that must work, separated by commas: web, api, ai, mcp, database, redis, llm, or name=URL for
    /// another address. The default are those that the server reports.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    services: Vec<String>,
    /// Also write the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON.
    #[arg(long)]
    json: bool,
    /// The age limit of the newest verified backup, for example 26h. A server without one fails then.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    expect_backup_within: Option<Duration>,
    /// A command that restarts the server. Afterwards the check reads what it wrote before.
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
    /// How long the server may take to be ready after the restart.
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
    let client =
        ServerClient::new(&arguments.url, Some(token)).map_err(|error| Failure::Other(error.to_string()))?;
    let address = client.address();
    let options = Options {
        services: arguments.services.iter().map(|name| name.trim().to_owned()).collect(),
        standby: false,
        backup_within: arguments.expect_backup_within,
        restart_command: arguments.restart_command,
        restart_within: arguments.restart_within,
    };
    let is_terminal = std::io::stdout().is_terminal();
    let json = arguments.json;
    let print_check = |check: &CheckReport| {
        if !json {
            print(&line(check, is_terminal));
        }
    };
    let report = block_on(verify_server(client, options, Clock::system(), print_check))?
        .map_err(|error| Failure::Other(format!("{address} {error}. Is the server running there?")))?;
    if let Some(file) = &arguments.junit {
        let xml = junit(&report).map_err(|error| Failure::Other(error.to_string()))?;
        std::fs::write(file, xml).map_err(|error| Failure::file(&file.display().to_string(), &error))?;
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

/// The line of a check, and a second one with the cure if it failed.
fn line(check: &CheckReport, is_terminal: bool) -> String {
    let (sign, word) = match check.status() {
        Status::Ok | Status::Warning => ("✓", "passed "),
        Status::Failed => ("✗", "FAILED "),
        Status::Skipped => ("–", "skipped"),
    };
    let mark = if is_terminal { sign } else { word };
    let cure = check.outcome.problem().map(|problem| &problem.cure);
    let cure = cure.map(|cure| format!("{:width$} → {cure}\n", "", width = mark.chars().count()));
    // A server could send control characters to the terminal.
    let found: String = check.outcome.found().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let ms = check.elapsed.as_millis();
    format!("{mark} {} ({ms} ms): {found}\n{}", check.title, cure.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_parsed() {
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
