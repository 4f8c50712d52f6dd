//! The report of `verify`, and its JSON.

use serde_json::{Value, json};

use crate::diagnostics::{CheckReport, Status, count_status};

#[derive(Debug, Clone)]
pub struct Report {
    /// The address of the server.
    pub address: String,
    /// When the run started.
    pub at: store::TimeUs,
    pub checks: Vec<CheckReport>,
}

/// The name of a status in the report. No check of this list warns.
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Ok | Status::Warning => "passed",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
    }
}

impl Report {
    /// How many checks passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let [failed, skipped] =
            [Status::Failed, Status::Skipped].map(|status| count_status(&self.checks, status));
        (self.checks.len() - failed - skipped, failed, skipped)
    }

    pub fn json(&self) -> Value {
        let (passed, failed, skipped) = self.counts();
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        json!({
            "url": self.address,
            "ok": failed == 0,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "checks": checks,
        })
    }
}

fn check_json(check: &CheckReport) -> Value {
    let mut json = json!({
        "id": check.id,
        "title": check.title,
        "status": status_name(check.status()),
        "detail": check.outcome.found(),
        "duration_ms": u64::try_from(check.elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(problem) = check.outcome.problem() {
        json["cure"] = json!(problem.cure);
    }
    json
}
