//! Checking and repairing Mermaid text.

use std::sync::Arc;

use mermend::{Checked, Comparison, Engine, FixClass, Operation, Outcome, Patched, Repaired, Verdict};
use serde_json::{Value, json};

use super::Error;
use crate::{
    app::App,
    metrics_table::closed,
    trace::{Kind, Span},
};

/// Who gave a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// `mermaid`, or `fast` where nobody asked Mermaid's own parser.
    pub engine: &'static str,
    /// Version of Mermaid; none for the fast parser.
    pub version: Option<String>,
    /// `in_process`, or `remote` for the server of MCP_SERVER_URL.
    pub mode: &'static str,
    /// Why the server of MCP_SERVER_URL did not give it.
    pub note: Option<String>,
}

impl Validator {
    fn here(checked: &Checked) -> Self {
        let mermaid = checked.mermaid.is_some();
        Validator {
            engine: if mermaid { "mermaid" } else { "fast" },
            version: mermend::MERMAID_VERSION.filter(|_| mermaid).map(str::to_owned),
            mode: "in_process",
            note: None,
        }
    }

    /// As in answers and in what is kept.
    pub fn to_json(&self) -> Value {
        let mut value =
            json!({"engine": self.engine, "version": self.version, "mode": self.mode, "targets": {}});
        if let Some(note) = &self.note {
            value["note"] = json!(note);
        }
        value
    }
}

/// A verdict and who gave it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The verdict.
    pub checked: Checked,
    /// Who gave it.
    pub by: Validator,
}

/// Checks `code`: by the server of MCP_SERVER_URL if there is one and it answers, else in this process.
///
/// # Errors
/// When the text is empty.
pub async fn check_code(app: &App, code: String, engine: Engine) -> Result<Judged, Error> {
    not_empty(&code)?;
    let mut note = None;
    if let (Some(remote), Engine::Mermaid) = (&app.remote, engine) {
        match remote.check(&code).await {
            Ok(answer) => {
                count(&answer.checked);
                let by = Validator {
                    engine: "mermaid",
                    version: Some(answer.version),
                    mode: "remote",
                    note: None,
                };
                return Ok(Judged { checked: answer.checked, by });
            }
            Err(error) => {
                metrics::counter!("ba_copilot_mcp_fallbacks_total").increment(1);
                note = Some(format!("Checked in this process: {error}."));
            }
        }
    }
    let mut judged = check_here(app, code, engine).await?;
    judged.by.note = note;
    Ok(judged)
}

/// Checks `code` in this process, whoever is configured to check. An empty text is a diagram that is not valid.
///
/// # Errors
/// Only faults of ours.
pub async fn check_here(app: &App, code: String, engine: Engine) -> Result<Judged, Error> {
    let mut told = Span::part(Kind::Inside, "check");
    let known = app.checker.known(&code, engine);
    told.set("check.remembered", known.is_some());
    let checked = match known {
        Some(known) => known,
        None => told.around(check_anew(app, code, engine)).await?,
    };
    told.set("check.engine", if checked.mermaid.is_some() { "mermaid" } else { "fast" });
    told.set("check.valid", checked.valid);
    count(&checked);
    Ok(Judged { by: Validator::here(&checked), checked })
}

/// Asks the other processes, then the engine.
async fn check_anew(app: &App, code: String, engine: Engine) -> Result<Checked, Error> {
    let checker = Arc::clone(&app.checker);
    let shared = app.verdicts.as_ref().filter(|_| engine == Engine::Mermaid);
    let Some(shared) = shared else { return blocking(move || checker.check_with(&code, engine)).await };
    if let Some(known) = shared.find(&code, checker.limits()).await {
        checker.remember(&code, engine, &known);
        return Ok(known);
    }
    let (code, checked) = blocking(move || {
        let checked = checker.check_with(&code, engine);
        (code, checked)
    })
    .await?;
    shared.keep(&code, &checked).await;
    Ok(checked)
}

/// What the API says of the viewer that a diagram is meant for.
pub fn targets(target: Option<&str>) -> Value {
    match target {
        None => json!({}),
        Some(name) => {
            let name: String = name.chars().take(40).collect();
            json!({name: {"checked": false, "note": format!("This version checks against Mermaid {} only.", mermend::MERMAID_VERSION.unwrap_or("by the fast parser"))}})
        }
    }
}

/// Repairs `code`.
///
/// # Errors
/// When the text is empty.
pub async fn repair_code(app: &App, code: String) -> Result<Repaired, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let mut told = Span::part(Kind::Inside, "repair");
    let repaired = blocking(move || checker.repair(&code)).await?;
    told.set("repair.class", class_word(&repaired));
    told.set("repair.valid", repaired.valid);
    for step in &repaired.steps {
        let rule = mermend::RULES.iter().map(|rule| rule.code);
        metrics::counter!("ba_copilot_repairs_total", "rule" => closed(rule, &step.rule)).increment(1);
    }
    Ok(repaired)
}

/// What changed between two diagrams.
///
/// # Errors
/// When a text is larger than what is checked.
pub async fn compare_code(app: &App, old: String, new: String) -> Result<Comparison, Error> {
    let most = app.checker.limits().size_bytes;
    for (path, text) in [("old", &old), ("new", &new)] {
        if text.len() > most {
            return Err(Error::invalid(
                path,
                format!("`{path}` is larger than {most} bytes, the most that is read."),
            ));
        }
    }
    blocking(move || mermend::compare(&old, &new)).await
}

/// Carries out typed changes, all or none.
///
/// # Errors
/// When one of them cannot be carried out; the message names it.
pub async fn patch_code(app: &App, code: String, operations: Vec<Operation>) -> Result<Patched, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    blocking(move || checker.patch(&code, &operations))
        .await?
        .map_err(|error| Error::invalid(&format!("operations[{}]", error.operation), error.message))
}

fn not_empty(code: &str) -> Result<(), Error> {
    match code.trim().is_empty() {
        true => Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text.")),
        false => Ok(()),
    }
}

/// The word of the API for what a repair did.
pub fn class_word(repaired: &Repaired) -> &'static str {
    match repaired.class {
        None => "none",
        Some(FixClass::Safe) => "safe",
        Some(FixClass::Lossy) => "lossy",
        Some(FixClass::NeedsAuthor) => "needs_author",
    }
}

/// Runs work that takes a thread for a while.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Internal("a worker thread ended early".to_owned()))
}

/// Counts verdicts and disagreements.
fn count(checked: &Checked) {
    let one = |engine: &'static str, verdict: &Option<Verdict>| {
        let Some(verdict) = verdict else { return };
        let word = match verdict.outcome {
            Outcome::Accepted { .. } => "valid",
            Outcome::Rejected(_) => "invalid",
            Outcome::Failed(_) => "failed",
        };
        metrics::counter!("ba_copilot_checks_total", "engine" => engine, "verdict" => word).increment(1);
        if !verdict.cached && verdict.micros > 0 {
            metrics::histogram!("ba_copilot_check_seconds", "engine" => engine)
                .record(verdict.micros as f64 / 1e6);
        }
    };
    one("mermaid", &checked.mermaid);
    one("fast", &checked.fast);
    if checked.disagreement() {
        metrics::counter!("ba_copilot_engine_disagreements_total").increment(1);
    }
}
