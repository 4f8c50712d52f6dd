//! `repair`: repairs a diagram without a model. Where a part is left to the author, the rest is repaired.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{CommandResult, Verdict, files, print, say};
use application::{app::App, check};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File with the diagram; `-` reads standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    file: String,
    /// Print a diff instead of the repaired diagram.
    #[arg(long)]
    diff: bool,
    /// Output format.
    #[arg(long, default_value = "text", value_parser = ["text", "json", "jsonl"])]
    format: String,
    /// Read JSON lines `{"id","code"}` from standard input, and write one JSON line for each.
    #[arg(long)]
    batch: bool,
}

#[derive(Debug, Deserialize)]
struct Line {
    id: Value,
    code: String,
}

pub(super) fn run(arguments: Arguments, app: &App) -> CommandResult {
    if arguments.batch {
        let mut clean = true;
        for line in files::json_lines::<Line>() {
            let line = line?;
            let repaired = app.checker.repair(&line.code);
            clean &= repaired.valid;
            print(&format!(
                "{}\n",
                json!({
                    "id": line.id,
                    "code": repaired.code,
                    "valid": repaired.valid,
                    "changed": repaired.changed,
                    "class": check::class_word(&repaired),
                })
            ));
        }
        return Ok(Verdict::from_clean(clean));
    }
    let text = files::read_text(&arguments.file)?;
    let repaired = app.checker.repair(&text);
    let value = || {
        json!({
            "code": repaired.code,
            "valid": repaired.valid,
            "changed": repaired.changed,
            "class": check::class_word(&repaired),
            "steps": repaired.steps,
            "diff": repaired.diff,
            "kept": repaired.kept,
            "findings": repaired.findings,
        })
    };
    print(&match (arguments.format.as_str(), arguments.diff) {
        ("json", _) => format!("{}\n", serde_json::to_string_pretty(&value()).unwrap_or_default()),
        ("jsonl", _) => format!("{}\n", value()),
        (_, true) => repaired.diff.clone(),
        _ => repaired.code.clone(),
    });
    if arguments.format == "text" {
        for step in &repaired.steps {
            say(&format!("{}: {}", step.rule, step.message));
        }
        for finding in repaired.findings.iter().filter(|_| !repaired.valid) {
            say(&format!(
                "{}:{}: {} {}",
                finding.span.line, finding.span.column, finding.code, finding.message
            ));
        }
    }
    Ok(Verdict::from_clean(repaired.valid))
}
