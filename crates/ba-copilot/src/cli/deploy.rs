//! `deploy`: a new version beside the old one, and the old one back.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{CommandResult, Failure, Verdict, block_on, print, say};
use application::clock::Clock;
use config::{Config, Environment};
use operations::deploy::{Error, Instead, Order, Told, deploy, run_command};

/// Flags of `deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which environment: production or staging. Its settings are read from .env.production or .env.staging in this folder.
    #[arg(long, value_name = "NAME", value_parser = ["production", "staging"])]
    env: String,
    /// The file of settings, if it is another one; what the program is started with, and nothing else.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Go back to the version that served before.
    #[arg(long, conflicts_with_all = ["skip_tests", "skip_build", "program"])]
    rollback: bool,
    /// End what serves, after what it has begun: to restore a backup, for example.
    #[arg(long, conflicts_with_all = ["rollback", "skip_tests", "skip_build", "program"])]
    stop: bool,
    /// Start it again.
    #[arg(long, conflicts_with_all = ["rollback", "stop", "skip_tests", "skip_build", "program"])]
    start: bool,
    /// Deploy this program; without it, what is in this folder is tested and built.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Do not run the tests.
    #[arg(long)]
    skip_tests: bool,
    /// Build nothing: deploy what was built last, in target/dist.
    #[arg(long)]
    skip_build: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write what came of it as JSON.
    #[arg(long)]
    json: bool,
    /// Deploy nothing: run this command of the version that serves (or was taken last), with its settings, where it lies: for example
    /// `-- user add ada@example.com`.
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["rollback", "stop", "start", "skip_tests", "skip_build", "program", "dry_run"])]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, file: Option<&Path>) -> CommandResult {
    let settings =
        arguments.env_file.clone().unwrap_or_else(|| PathBuf::from(format!(".env.{}", arguments.env)));
    let environment = Environment::from_file(&settings)?;
    let config = Config::load(file, &environment)?;
    let source = std::env::current_dir().map_err(|error| Failure::file(".", &error))?;
    if !arguments.command.is_empty() {
        let words: Vec<&str> = arguments.command.iter().map(String::as_str).collect();
        let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let ran = block_on(run_command(&words, &source, &environment, &config, on_terminal))?;
        return ran.map(Verdict::from_clean).map_err(|error| Failure::Other(error.to_string()));
    }
    let program = match &arguments.program {
        Some(program) => {
            let whole = program.canonicalize();
            Some(whole.map_err(|error| Failure::file(&program.display().to_string(), &error))?)
        }
        None => None,
    };
    let order = Order {
        settings,
        source,
        program,
        skip_tests: arguments.skip_tests,
        skip_build: arguments.skip_build,
        instead: match (arguments.rollback, arguments.stop, arguments.start) {
            (true, ..) => Some(Instead::Rollback),
            (_, true, _) => Some(Instead::Stop),
            (.., true) => Some(Instead::Start),
            _ => None,
        },
        dry_run: arguments.dry_run,
    };
    let json = arguments.json;
    let live = std::io::stdout().is_terminal();
    let mut begun = "";
    let mut tell = |told: Told| {
        if json {
            return;
        }
        match told {
            Told::Begun(title) => {
                begun = title;
                if live {
                    print(&format!("… {title}\r"));
                }
            }
            Told::Done(seen, took) => print(&format!("✓ {begun} ({:.1} s): {seen}\n", took.as_secs_f64())),
            Told::Left(title, why) => print(&format!("– {title}: left out, {why}\n")),
            Told::Note(text) => print(&format!("! {text}\n")),
        }
    };
    let outcome = block_on(deploy(&order, &environment, &config, &Clock::system(), &mut tell))?;
    match outcome {
        Ok(deployed) if json => {
            print(&format!("{:#}\n", serde_json::json!({"deployed": !order.dry_run, "serves": deployed})));
            Ok(Verdict::Clean)
        }
        Ok(_) if order.dry_run => Ok(Verdict::Clean),
        Ok(deployed) if order.instead == Some(Instead::Stop) => {
            print(&format!("Ended: {} served in the slot {}.\n", deployed.release, deployed.slot));
            Ok(Verdict::Clean)
        }
        Ok(deployed) => {
            print(&format!("Deployed: {} serves in the slot {}.\n", deployed.release, deployed.slot));
            Ok(Verdict::Clean)
        }
        Err(error @ Error::Stopped { .. }) => {
            match json {
                true => print(&format!(
                    "{:#}\n",
                    serde_json::json!({"deployed": false, "error": error.to_string()})
                )),
                false => say(&format!("Not deployed. {error}")),
            }
            Ok(Verdict::Findings)
        }
        Err(Error::NotBegun(why)) => Err(Failure::Other(why)),
    }
}
