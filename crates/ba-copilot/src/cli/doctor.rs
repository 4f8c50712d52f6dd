//! `doctor`: looks at everything and says what to do.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{CommandResult, Verdict, block_on, config::inspect, print};
use application::clock::Clock;
use config::Environment;
use operations::doctor::{Bench, Report, Status, examine};

/// Flags of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder for everything that is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// As JSON; docs/doctor.md says what stands in it.
    #[arg(long)]
    json: bool,
    /// Mend what is safe to mend: rights of files, a missing folder. Nothing is deleted, and no table is changed.
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
    let mut report = block_on(async { examine(Bench::new(inspection, Clock::system()).await).await })?;
    if arguments.fix {
        report.fix();
    }
    let color = std::io::stdout().is_terminal() && !environment.no_color();
    print(&if arguments.json { format!("{:#}\n", report.json()) } else { as_text(&report, quiet, color) });
    Ok(Verdict::from_clean(report.status() < Status::Problem))
}

fn as_text(report: &Report, quiet: bool, color: bool) -> String {
    let mut text = String::new();
    for line in &report.lines {
        let (mark, code) = match line.status {
            Status::Ok => ("ok     ", "32"),
            Status::Skipped => ("skipped", "2"),
            Status::Warning => ("warning", "33"),
            Status::Problem => ("PROBLEM", "1;31"),
        };
        if quiet && line.status < Status::Warning && line.fixed.is_none() {
            continue;
        }
        let mark = if color { format!("\u{1b}[{code}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        text.push_str(&format!("{mark}  {:20}  {}: {}\n", line.id, line.title, line.saw));
        for (word, told) in [("do", &line.cure), ("mended", &line.fixed)] {
            if let Some(told) = told {
                text.push_str(&format!("{:31}{word}: {told}\n", ""));
            }
        }
    }
    let several = |status, word| match report.count(status) {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    text.push_str(&format!(
        "{} ok, {}, {}, {} skipped\n",
        report.count(Status::Ok),
        several(Status::Warning, "warning"),
        several(Status::Problem, "problem"),
        report.count(Status::Skipped)
    ));
    if report.is_fixable() {
        text.push_str("`ba-copilot doctor --fix` mends what is safe to mend.\n");
    }
    text
}
