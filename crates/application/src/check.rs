//! Checking and repairing Mermaid text.

use std::sync::Arc;

use mermend::{
    Checked, Comparison, Deadline, Engine, Failure, FixClass, Operation, Outcome, PatchErrorKind, Patched,
    Repaired, Verdict,
};
use serde_json::{Value, json};

use super::Error;
use crate::{
    app::App,
    cpu_pool::{Refused, Use},
};
use telemetry::{
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
    let Some(shared) = shared else { return work(app, code, engine).await.map(|(_, checked)| checked) };
    if let Some(known) = shared.find(&code, checker.limits()).await {
        checker.remember(&code, engine, &known);
        return Ok(known);
    }
    let (code, checked) = work(app, code, engine).await?;
    shared.keep(&code, &checked).await;
    Ok(checked)
}

/// Asks the engine, and hands the text back.
async fn work(app: &App, code: String, engine: Engine) -> Result<(String, Checked), Error> {
    let checker = Arc::clone(&app.checker);
    let deadline = Deadline::after(app.config.check_time());
    let uses = match engine {
        Engine::Mermaid => Use::Engine,
        Engine::Fast => Use::Processor,
    };
    let size_bytes = code.len();
    let check = move |deadline: &Deadline| {
        let checked = checker.check_within(&code, engine, deadline);
        (code, checked)
    };
    let (code, checked) = app.cpu.run(uses, size_bytes, deadline, check).await?;
    match checked.mermaid.as_ref().map(|verdict| &verdict.outcome) {
        Some(Outcome::Failed(Failure::Busy)) => Err(Refused::Busy.into()),
        _ => Ok((code, checked)),
    }
}

/// Refuses a target viewer: there is one Mermaid to check against, so that nothing would be said about another viewer.
///
/// # Errors
/// When there is a target.
pub fn refuse_target(target: Option<&str>) -> Result<(), Error> {
    match target {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            "target",
            format!(
                "`target` is not supported: this version checks against Mermaid {} only. Leave `target` out.",
                mermend::MERMAID_VERSION.unwrap_or("by the fast parser")
            ),
        )),
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
    let (size_bytes, deadline) = (code.len(), Deadline::after(app.config.check_time()));
    let repair = move |deadline: &Deadline| checker.repair_within(&code, deadline);
    let repaired = told.around(app.cpu.run(Use::Engine, size_bytes, deadline, repair)).await?;
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
/// When a text is larger than what is compared, or both are not compared in time.
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
    let (size_bytes, deadline) = (old.len() + new.len(), Deadline::after(app.config.check_time()));
    let compare = move |deadline: &Deadline| mermend::compare_within(&old, &new, deadline);
    let compared = app.cpu.run(Use::Processor, size_bytes, deadline, compare).await?;
    compared.map_err(|_| too_slow(app, "new", "The diagrams were not compared"))
}

/// Carries out typed changes, all or none.
///
/// # Errors
/// When one of them cannot be carried out; the message names it.
pub async fn patch_code(app: &App, code: String, operations: Vec<Operation>) -> Result<Patched, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let (size_bytes, deadline) = (code.len(), Deadline::after(app.config.check_time()));
    let patch = move |deadline: &Deadline| checker.patch_within(&code, &operations, deadline);
    app.cpu.run(Use::Engine, size_bytes, deadline, patch).await?.map_err(|error| match error.kind {
        PatchErrorKind::Failed(Failure::Busy) => Refused::Busy.into(),
        PatchErrorKind::Failed(Failure::TooSlow) => {
            too_slow(app, "operations", "The operations were not carried out")
        }
        _ => Error::invalid(&format!("operations[{}]", error.operation), error.message),
    })
}

/// What was asked for takes longer than the time limit.
fn too_slow(app: &App, path: &str, what: &str) -> Error {
    let limit = app.config.check.time_s;
    Error::invalid(
        path,
        format!("{what} within {limit} s, the time limit. Send less at a time, or smaller diagrams."),
    )
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
