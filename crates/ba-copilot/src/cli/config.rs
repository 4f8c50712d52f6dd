//! `config check` and `config show`: problems, values and sources of settings. Never prints a secret.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{CommandResult, Verdict, print, say};
use application::clock::Clock;
use config::{Config, Environment, Inspection, Origin, Setting};
use operations::doctor::problems_of_parts;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Data folder; overrides the setting data.dir [default: ./data].
    #[arg(id = "kept", long = "data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print all problems of the settings. Exit code 1 if there are any.
    Check,
    /// Print every setting with its value and source. Secrets are redacted.
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(arguments: &Arguments, file: Option<&Path>, environment: &Environment) -> CommandResult {
    let inspection = inspect(file, environment, arguments.data.as_deref());
    match arguments.command {
        Command::Check => Ok(check(&inspection)),
        Command::Show { json } => {
            print(&if json { as_json(&inspection) } else { as_text(&inspection.settings) });
            if !inspection.problems.is_empty() {
                say("Some settings are not valid. Run `ba-copilot config check` for the problems.");
            }
            Ok(Verdict::from_clean(inspection.problems.is_empty()))
        }
    }
}

/// Reads all sources, with `--data` as a flag.
pub(super) fn inspect(file: Option<&Path>, environment: &Environment, data: Option<&Path>) -> Inspection {
    let flags: Vec<_> = data.iter().map(|data| ("--data", "data.dir", data.display().to_string())).collect();
    Config::inspect(file, environment, &flags)
}

fn check(inspection: &Inspection) -> Verdict {
    let mut problems: Vec<String> = inspection.problems.iter().map(|problem| problem.to_string()).collect();
    problems.extend(problems_of_parts(inspection, &Clock::system()));
    match problems.is_empty() {
        true => print("The settings are valid.\n"),
        false => problems.iter().for_each(|problem| print(&format!("{problem}\n"))),
    }
    Verdict::from_clean(problems.is_empty())
}

fn as_text(settings: &[Setting]) -> String {
    let rows: Vec<(String, String)> = settings
        .iter()
        .map(|setting| {
            let value = match (&setting.value, setting.secret) {
                (Value::String(text), true) => text.clone(),
                (value, _) => value.to_string(),
            };
            (value, setting.origin.to_string())
        })
        .collect();
    let width = |of: &dyn Fn(usize) -> usize| (0..settings.len()).map(of).max().unwrap_or(0);
    let keys = width(&|row| settings[row].key.len());
    // A long value must not widen the column for all others.
    let values = width(&|row| rows[row].0.chars().count()).min(48);
    let line = |(setting, (value, origin)): (&Setting, &(String, String))| {
        format!("{:keys$}  {value:values$}  {origin}\n", setting.key)
    };
    settings.iter().zip(&rows).map(line).collect()
}

fn as_json(inspection: &Inspection) -> String {
    let settings: Vec<Value> = inspection
        .settings
        .iter()
        .map(|setting| {
            json!({
                "key": setting.key,
                "value": setting.value,
                "secret": setting.secret,
                "origin": origin(&setting.origin),
            })
        })
        .collect();
    let problems: Vec<String> = inspection.problems.iter().map(|problem| problem.to_string()).collect();
    format!("{:#}\n", json!({"settings": settings, "problems": problems}))
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({"kind": "default"}),
        Origin::File { path, line } => json!({"kind": "file", "name": path, "line": line}),
        Origin::Variable { name, file: None } => json!({"kind": "variable", "name": name}),
        Origin::Variable { name, file: Some((file, line)) } => {
            json!({"kind": "variable", "name": name, "file": file.display().to_string(), "line": line})
        }
        Origin::Flag(name) => json!({"kind": "flag", "name": name}),
    }
}
