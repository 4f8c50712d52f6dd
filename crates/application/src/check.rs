//! Check, repair, comparison and patching of Mermaid text.

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
    metrics_table::known_or_other,
    trace::{Kind, Span},
};

/// Where a verdict comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// `mermaid`, or `fast` if Mermaid's own parser did not run.
    pub engine: &'static str,
    pub version: Option<String>,
    /// `in_process`, or `remote` for the server of MCP_SERVER_URL.
    pub mode: &'static str,
    /// Why the server of MCP_SERVER_URL was not used.
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

    /// As in API responses and stored generations.
    pub fn to_json(&self) -> Value {
        let mut value =
            json!({"engine": self.engine, "version": self.version, "mode": self.mode, "targets": {}});
        if let Some(note) = &self.note {
            value["note"] = json!(note);
        }
        value
    }
}

#[derive(Debug, Clone)]
pub struct CheckResult {
    pub checked: Checked,
    pub by: Validator,
}

/// Checks `code` with the server of MCP_SERVER_URL if it is configured and answers, else in this process.
pub async fn check_code(app: &App, code: String, engine: Engine) -> Result<CheckResult, Error> {
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
                return Ok(CheckResult { checked: answer.checked, by });
            }
            Err(error) => {
                metrics::counter!("ba_copilot_mcp_fallbacks_total").increment(1);
                note = Some(format!("Checked in this process: {error}."));
            }
        }
    }
    let mut judged = check_in_process(app, code, engine).await?;
    judged.by.note = note;
    Ok(judged)
}

/// Checks `code` in this process. An empty text is an invalid diagram.
pub async fn check_in_process(app: &App, code: String, engine: Engine) -> Result<CheckResult, Error> {
    let mut span = Span::child(Kind::Internal, "check");
    let known = app.checker.known(&code, engine);
    span.set_attribute("check.remembered", known.is_some());
    let checked = match known {
        Some(known) => known,
        None => span.in_scope(check_uncached(app, code, engine)).await?,
    };
    span.set_attribute("check.engine", if checked.mermaid.is_some() { "mermaid" } else { "fast" });
    span.set_attribute("check.valid", checked.valid);
    count(&checked);
    Ok(CheckResult { by: Validator::here(&checked), checked })
}

/// Looks up the verdict shared by other processes, then runs the engine.
async fn check_uncached(app: &App, code: String, engine: Engine) -> Result<Checked, Error> {
    let checker = Arc::clone(&app.checker);
    let shared = app.verdicts.as_ref().filter(|_| engine == Engine::Mermaid);
    let Some(shared) = shared else { return run_check(app, code, engine).await.map(|(_, checked)| checked) };
    if let Some(known) = shared.find(&code, checker.limits()).await {
        checker.remember(&code, engine, &known);
        return Ok(known);
    }
    let (code, checked) = run_check(app, code, engine).await?;
    shared.store_verdict(&code, &checked).await;
    Ok(checked)
}

/// The last resort of checks, repairs, comparisons and patches: the engine's own limit is in processor time.
fn check_deadline(app: &App) -> Deadline {
    Deadline::after(app.checker.limits().wall_time())
}

/// Runs the engine; returns the text for reuse.
async fn run_check(app: &App, code: String, engine: Engine) -> Result<(String, Checked), Error> {
    let checker = Arc::clone(&app.checker);
    let deadline = check_deadline(app);
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

pub async fn repair_code(app: &App, code: String) -> Result<Repaired, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let mut span = Span::child(Kind::Internal, "repair");
    let (size_bytes, deadline) = (code.len(), check_deadline(app));
    let repair = move |deadline: &Deadline| checker.repair_within(&code, deadline);
    let repaired = span.in_scope(app.cpu.run(Use::Engine, size_bytes, deadline, repair)).await?;
    span.set_attribute("repair.class", class_word(&repaired));
    span.set_attribute("repair.valid", repaired.valid);
    for step in &repaired.steps {
        let rule = mermend::RULES.iter().map(|rule| rule.code);
        metrics::counter!("ba_copilot_repairs_total", "rule" => known_or_other(rule, &step.rule))
            .increment(1);
    }
    Ok(repaired)
}

pub async fn compare_code(app: &App, old: String, new: String) -> Result<Comparison, Error> {
    let most = app.checker.limits().size_bytes;
    for (path, text) in [("old", &old), ("new", &new)] {
        if text.len() > most {
            return Err(Error::invalid(
                path,
                format!("`{path}` is larger than {most} bytes. Send a smaller diagram."),
            ));
        }
    }
    let (size_bytes, deadline) = (old.len() + new.len(), check_deadline(app));
    let compare = move |deadline: &Deadline| mermend::compare_within(&old, &new, deadline);
    let compared = app.cpu.run(Use::Processor, size_bytes, deadline, compare).await?;
    compared.map_err(|_| too_slow(app, "new", "The diagrams were not compared"))
}

/// Applies edit operations, all or none.
pub async fn patch_code(app: &App, code: String, operations: Vec<Operation>) -> Result<Patched, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let (size_bytes, deadline) = (code.len(), check_deadline(app));
    let patch = move |deadline: &Deadline| checker.patch_within(&code, &operations, deadline);
    app.cpu.run(Use::Engine, size_bytes, deadline, patch).await?.map_err(|error| match error.kind {
        PatchErrorKind::Failed(Failure::Busy) => Refused::Busy.into(),
        PatchErrorKind::Failed(Failure::TooSlow) => {
            too_slow(app, "operations", "The operations were not applied")
        }
        _ => Error::invalid(&format!("operations[{}]", error.operation), error.message),
    })
}

pub(super) fn too_slow(app: &App, path: &str, what: &str) -> Error {
    let limit = app.checker.limits().wall_time().as_secs();
    Error::invalid(
        path,
        format!("{what} within the time limit of {limit} s. Send fewer operations or smaller diagrams."),
    )
}

fn not_empty(code: &str) -> Result<(), Error> {
    match code.trim().is_empty() {
        true => Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text.")),
        false => Ok(()),
    }
}

/// API name of the kind of a repair.
pub fn class_word(repaired: &Repaired) -> &'static str {
    match repaired.class {
        None => "none",
        Some(FixClass::Safe) => "safe",
        Some(FixClass::Lossy) => "lossy",
        Some(FixClass::NeedsAuthor) => "needs_author",
    }
}

/// Counts verdicts, and disagreements between the engines.
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
