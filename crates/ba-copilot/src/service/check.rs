//! Checking and repairing Mermaid text.

use mermend::{Checked, Engine, FixClass, Outcome, Repaired, Verdict};

use super::Error;
use crate::app::App;

/// Checks `code`.
///
/// # Errors
/// When the text is empty.
pub async fn check_code(app: &App, code: String, engine: Engine) -> Result<Checked, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let checked = blocking(move || checker.check_with(&code, engine)).await?;
    count(&checked);
    Ok(checked)
}

/// Repairs `code`.
///
/// # Errors
/// When the text is empty.
pub async fn repair_code(app: &App, code: String) -> Result<Repaired, Error> {
    not_empty(&code)?;
    let checker = app.checker.clone();
    let repaired = blocking(move || checker.repair(&code)).await?;
    for step in &repaired.steps {
        metrics::counter!("ba_copilot_repairs_total", "rule" => step.rule.clone()).increment(1);
    }
    Ok(repaired)
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
pub(super) fn count(checked: &Checked) {
    let one = |engine: &'static str, verdict: &Option<Verdict>| {
        let Some(verdict) = verdict else { return };
        let word = match verdict.outcome {
            Outcome::Accepted { .. } => "valid",
            Outcome::Rejected(_) => "invalid",
            Outcome::Failed(_) => "failed",
        };
        metrics::counter!("ba_copilot_checks_total", "engine" => engine, "verdict" => word).increment(1);
        if !verdict.cached {
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
