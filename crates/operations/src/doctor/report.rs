//! The report of `doctor`. docs/doctor.md describes its JSON.

use serde_json::{Value, json};

use crate::diagnostics::{CheckReport, Status, count_status, worst_status};

/// The outcomes, in the order of the list.
#[derive(Debug, Clone)]
pub struct Report {
    pub checks: Vec<CheckReport>,
}

/// The name of a status in the report.
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Skipped => "skipped",
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failed => "problem",
    }
}

impl Report {
    /// Applies every fix. The check is ok afterwards, or says why the fix failed.
    pub fn fix(&mut self) {
        self.checks.iter_mut().for_each(CheckReport::fix);
    }

    pub fn is_fixable(&self) -> bool {
        self.checks.iter().any(|check| check.outcome.problem().is_some_and(|it| it.fix.is_some()))
    }

    pub fn status(&self) -> Status {
        worst_status(&self.checks)
    }

    pub fn count(&self, status: Status) -> usize {
        count_status(&self.checks, status)
    }

    pub fn json(&self) -> Value {
        let counts: serde_json::Map<String, Value> =
            [Status::Ok, Status::Warning, Status::Failed, Status::Skipped]
                .map(|status| (status_name(status).to_owned(), json!(self.count(status))))
                .into_iter()
                .collect();
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "status": status_name(self.status()),
            "counts": counts,
            "checks": checks,
        })
    }
}

fn check_json(check: &CheckReport) -> Value {
    let mut json = json!({
        "id": check.id,
        "title": check.title,
        "status": status_name(check.status()),
        "saw": check.outcome.found(),
    });
    if let Some(problem) = check.outcome.problem() {
        json["cure"] = json!(problem.cure);
    }
    if let Some(fixed) = &check.fixed {
        json["fixed"] = json!(fixed);
    }
    json["ms"] = json!(u64::try_from(check.elapsed.as_millis()).unwrap_or(u64::MAX));
    json
}
