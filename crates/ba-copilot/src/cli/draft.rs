//! `draft`: generates a diagram from requirements.

use std::sync::LazyLock;

use blueprint::{Blueprint, Kind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CommandResult, Failure, Verdict, block_on, files, print, say};
use application::{
    access::Caller,
    app::App,
    generate::{self, Generated, Request},
    picture::{self, Form},
};

fn provider_help() -> &'static str {
    static HELP: LazyLock<String> =
        LazyLock::new(|| format!("Provider that writes the diagram: {}", ::config::provider_values()));
    &HELP
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File with the requirements as text; `-` reads standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    file: String,
    /// Diagram kind: class, usecase or activity.
    #[arg(long, default_value = "class")]
    kind: String,
    #[arg(long, default_value = "builtin", help = provider_help())]
    provider: String,
    /// Model name; by default that of the settings or the provider.
    #[arg(long)]
    model: Option<String>,
    /// Output format.
    #[arg(long, default_value = "mermaid", value_parser = ["mermaid", "markdown", "json", "jsonl", "svg"])]
    format: String,
    /// Read JSON lines `{"id","text"}` from standard input, and write one JSON line for each.
    #[arg(long)]
    batch: bool,
}

#[derive(Debug, Deserialize)]
struct Line {
    id: Value,
    text: String,
}

pub(super) fn run(arguments: Arguments, app: &App) -> CommandResult {
    let kind = Kind::parse(&arguments.kind).ok_or_else(|| {
        let known: Vec<&str> = blueprint::KINDS.iter().map(|row| row.cli_names[0]).collect();
        Failure::Other(format!("Unknown diagram kind `{}`. Use {}.", arguments.kind, known.join(", ")))
    })?;
    block_on(async {
        if arguments.batch {
            return batch(&arguments, kind, app).await;
        }
        let text = files::read_text(&arguments.file)?;
        let generated =
            generate::generate_diagram(app, &Caller::local(), request(&arguments, kind, text), None).await?;
        if let Some(warning) = &generated.outcome.warning {
            say(warning);
        }
        print(&format_output(app, &arguments.format, &generated).await?);
        Ok(match drawn(&generated) {
            true => Verdict::worst([generated.outcome.checked.verdict()].into_iter()),
            false => Verdict::Findings,
        })
    })?
}

async fn batch(arguments: &Arguments, kind: Kind, app: &App) -> CommandResult {
    let mut clean = true;
    for line in files::json_lines::<Line>() {
        let line = line?;
        let answer = match generate::generate_diagram(
            app,
            &Caller::local(),
            request(arguments, kind, line.text),
            None,
        )
        .await
        {
            Ok(generated) => {
                clean &= drawn(&generated);
                json!({
                "id": line.id,
                "validated": generated.validated(),
                "mermaid": generated.outcome.text,
                "model": generated.outcome.blueprint.as_ref().map(blueprint_json),
                })
            }
            // An error is the result of its line; the other lines are still processed.
            Err(error) => {
                json!({"id": line.id, "validated": false, "error": {"code": error.code(), "detail": error.to_string()}})
            }
        };
        clean &= answer["validated"] == json!(true);
        print(&format!("{answer}\n"));
    }
    Ok(Verdict::from_clean(clean))
}

/// Whether there is anything in the diagram: an empty one is not a success.
fn drawn(generated: &Generated) -> bool {
    !generated.outcome.blueprint.as_ref().is_some_and(blueprint::is_empty)
}

fn request(arguments: &Arguments, kind: Kind, message: String) -> Request {
    Request {
        kind,
        message,
        project_id: None,
        content_id: None,
        provider: Some(arguments.provider.clone()),
        model: arguments.model.clone(),
        key: None,
        fallback: true,
    }
}

/// The blueprint without `kind`, which the caller chose.
fn blueprint_json(found: &Blueprint) -> Value {
    let mut value = serde_json::to_value(found).unwrap_or(Value::Null);
    if let Some(object) = value.as_object_mut() {
        object.remove("kind");
    }
    value
}

async fn format_output(app: &App, format: &str, generated: &Generated) -> Result<String, Failure> {
    let text = generated.outcome.text.trim_end();
    Ok(match format {
        "markdown" => format!("```mermaid\n{text}\n```\n"),
        "json" | "jsonl" => {
            let value = json!({
                "validated": generated.validated(),
                "mermaid": text,
                "model": generated.outcome.blueprint.as_ref().map(blueprint_json),
                "trace": generated.outcome.trace,
                "notes": generated.outcome.notes,
            });
            let written = if format == "json" {
                serde_json::to_string_pretty(&value)
            } else {
                serde_json::to_string(&value)
            };
            format!("{}\n", written.unwrap_or_default())
        }
        "svg" => {
            let request = picture::Request {
                code: text.to_owned(),
                theme: "light".to_owned(),
                elements: generated.outcome.elements.clone(),
            };
            String::from_utf8(picture::draw_one(app, request, Form::Svg).await?.bytes)
                .map_err(|error| Failure::Other(error.to_string()))?
        }
        _ => format!("{text}\n"),
    })
}
