//! `deploy`: bring a new version into service, or go back to the previous one.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{CommandResult, Failure, Verdict, block_on, print, say};
use application::clock::Clock;
use config::{Config, Environment};
use operations::deploy::{Action, Error, Plan, Progress, deploy, run_command};

/// Flags of `deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The environment: production or staging. Its settings are read from .env.production or .env.staging in this
    /// folder.
    #[arg(long, value_name = "NAME", value_parser = ["production", "staging"])]
    env: String,
    /// Another env file. The program is started with its variables only.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Go back to the previous version.
    #[arg(long, conflicts_with_all = ["skip_tests", "skip_build", "program"])]
    rollback: bool,
    /// Stop the serving version after it has finished its requests, for example to restore a backup.
    #[arg(long, conflicts_with_all = ["rollback", "skip_tests", "skip_build", "program"])]
    stop: bool,
    /// Start the stopped version again.
    #[arg(long, conflicts_with_all = ["rollback", "stop", "skip_tests", "skip_build", "program"])]
    start: bool,
    /// Deploy this program. Without it, the sources in this folder are tested and built.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Do not run the tests.
    #[arg(long)]
    skip_tests: bool,
    /// Deploy the last build in target/dist.
    #[arg(long)]
    skip_build: bool,
    /// Show what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write the result as JSON.
    #[arg(long)]
    json: bool,
    /// Run this command of the serving version, or of the newest one, with its settings: for example `-- user add
    /// ada@example.com`.
    #[arg(
        last = true,
        value_name = "COMMAND",
        conflicts_with_all = ["rollback", "stop", "start", "skip_tests", "skip_build", "program", "dry_run"]
    )]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, file: Option<&Path>) -> CommandResult {
    let settings =
        arguments.env_file.clone().unwrap_or_else(|| PathBuf::from(format!(".env.{}", arguments.env)));
    let environment = Environment::from_file(&settings).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::Other(lines.join("\n"))
    })?;
    let config = Config::load(file, &environment)?;
    let source = std::env::current_dir().map_err(|error| Failure::file(".", &error))?;
    if !arguments.command.is_empty() {
        let command: Vec<&str> = arguments.command.iter().map(String::as_str).collect();
        let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let ran = block_on(run_command(&command, &source, &environment, &config, on_terminal))?;
        return ran.map(Verdict::from_clean).map_err(|error| Failure::Other(error.to_string()));
    }
    let program = match &arguments.program {
        Some(program) => {
            let absolute = program.canonicalize();
            Some(absolute.map_err(|error| Failure::file(&program.display().to_string(), &error))?)
        }
        None => None,
    };
    let plan = Plan {
        settings,
        source,
        program,
        skip_tests: arguments.skip_tests,
        skip_build: arguments.skip_build,
        action: match (arguments.rollback, arguments.stop, arguments.start) {
            (true, ..) => Action::Rollback,
            (_, true, _) => Action::Stop,
            (.., true) => Action::Start,
            _ => Action::Deploy,
        },
        dry_run: arguments.dry_run,
    };
    let json = arguments.json;
    let is_terminal = std::io::stdout().is_terminal();
    let mut current = "";
    let mut report = |progress: Progress| {
        if json {
            return;
        }
        match progress {
            Progress::StepStarted(title) => {
                current = title;
                if is_terminal {
                    print(&format!("… {title}\r"));
                }
            }
            Progress::StepFinished { found, elapsed } => {
                print(&format!("✓ {current} ({:.1} s): {found}\n", elapsed.as_secs_f64()));
            }
            Progress::StepSkipped { title, reason } => print(&format!("– {title}: skipped, {reason}\n")),
            Progress::Note(text) => print(&format!("! {text}\n")),
        }
    };
    let outcome = block_on(deploy(&plan, &environment, &config, &Clock::system(), &mut report))?;
    match outcome {
        Ok(deployed) if json => {
            print(&format!("{:#}\n", serde_json::json!({"deployed": !plan.dry_run, "serves": deployed})));
            Ok(Verdict::Clean)
        }
        Ok(_) if plan.dry_run => Ok(Verdict::Clean),
        Ok(deployed) if plan.action == Action::Stop => {
            print(&format!("Stopped: {} served in slot {}.\n", deployed.release, deployed.slot));
            Ok(Verdict::Clean)
        }
        Ok(deployed) => {
            print(&format!("Deployed: {} serves in slot {}.\n", deployed.release, deployed.slot));
            Ok(Verdict::Clean)
        }
        Err(error @ Error::StepFailed { .. }) => {
            match json {
                true => print(&format!(
                    "{:#}\n",
                    serde_json::json!({"deployed": false, "error": error.to_string()})
                )),
                false => say(&format!("Not deployed. {error}")),
            }
            Ok(Verdict::Findings)
        }
        Err(error @ Error::NotStarted(_)) => Err(Failure::Other(error.to_string())),
    }
}
