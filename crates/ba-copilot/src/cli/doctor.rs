//! `doctor`: checks the machine, the settings and the services they name.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{CommandResult, Verdict, block_on, config::inspect, print};
use application::clock::Clock;
use config::Environment;
use operations::{
    diagnostics::Status,
    doctor::{CheckContext, Report, examine},
};

/// Flags of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write JSON, as described in docs/doctor.md.
    #[arg(long)]
    json: bool,
    /// Repair what can be repaired without loss: permissions of files, a missing folder.
    #[arg(long)]
    fix: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    file: Option<&Path>,
    environment: &Environment,
    quiet: bool,
) -> CommandResult {
    let inspection = inspect(file, environment, arguments.data.as_deref());
    let mut report = block_on(async { examine(CheckContext::new(inspection, Clock::system()).await).await })?;
    if arguments.fix {
        report.fix();
    }
    let color = std::io::stdout().is_terminal() && !environment.no_color();
    print(&if arguments.json { format!("{:#}\n", report.json()) } else { as_text(&report, quiet, color) });
    Ok(Verdict::from_clean(report.status() < Status::Failed))
}

fn as_text(report: &Report, quiet: bool, color: bool) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let (mark, code) = match check.status() {
            Status::Ok => ("ok     ", "32"),
            Status::Skipped => ("skipped", "2"),
            Status::Warning => ("warning", "33"),
            Status::Failed => ("PROBLEM", "1;31"),
        };
        if quiet && check.status() < Status::Warning && check.fixed.is_none() {
            continue;
        }
        let mark = if color { format!("\u{1b}[{code}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        text.push_str(&format!("{mark}  {:20}  {}: {}\n", check.id, check.title, check.outcome.found()));
        let cure = check.outcome.problem().map(|problem| &problem.cure);
        for (word, detail) in [("do", cure), ("fixed", check.fixed.as_ref())] {
            if let Some(detail) = detail {
                text.push_str(&format!("{:31}{word}: {detail}\n", ""));
            }
        }
    }
    let plural = |status, word| match report.count(status) {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    text.push_str(&format!(
        "{} ok, {}, {}, {} skipped\n",
        report.count(Status::Ok),
        plural(Status::Warning, "warning"),
        plural(Status::Failed, "problem"),
        report.count(Status::Skipped)
    ));
    if report.is_fixable() {
        text.push_str("`ba-copilot doctor --fix` repairs what can be repaired without loss.\n");
    }
    text
}
