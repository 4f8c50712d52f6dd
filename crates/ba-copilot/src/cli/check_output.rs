//! The output formats of `check`: text, JSON, JSON lines, SARIF, and workflow commands of GitHub.

use mermend::{Checked, Finding, Severity};
use serde_json::{Value, json};

use super::{files::Input, report_paths::ReportPaths};

/// One diagram of an input, and what is said of it.
pub(super) struct Diagram<'a> {
    pub(super) input: &'a Input,
    /// `None` if the diagram cannot be read, as a finding says.
    pub(super) checked: Option<Checked>,
    pub(super) findings: Vec<Finding>,
}

impl Diagram<'_> {
    /// `valid`, `invalid` or `unknown`; `None` if the diagram cannot be read.
    pub(super) fn verdict(&self) -> Option<&'static str> {
        self.checked.as_ref().map(Checked::verdict)
    }
}

/// The results in one of the formats. `failures` are the messages about inputs that could not be checked.
pub(super) fn write(
    format: &str,
    results: &[Diagram<'_>],
    failures: &[String],
    paths: &ReportPaths,
) -> String {
    match format {
        "json" => format!("{}\n", Value::Array(results.iter().map(as_json).collect())),
        "jsonl" => results.iter().map(|result| format!("{}\n", as_json(result))).collect(),
        "sarif" => format!("{}\n", sarif(results, failures, paths)),
        "github" => results.iter().flat_map(|result| github(result, paths)).collect(),
        _ => results.iter().map(text).collect(),
    }
}

/// The findings of a diagram, one a line, each with its advice below.
pub(super) fn text(result: &Diagram<'_>) -> String {
    let mut out = String::new();
    for finding in &result.findings {
        let span = finding.span;
        out.push_str(&format!(
            "{}:{}:{}: {} {}: {}\n",
            result.input.name,
            span.line,
            span.column,
            severity_name(finding.severity),
            finding.code,
            finding.message
        ));
        if let Some(hint) = &finding.hint {
            out.push_str(&format!("    {hint}\n"));
        }
    }
    out
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn as_json(result: &Diagram<'_>) -> Value {
    let checked = result.checked.as_ref();
    json!({
        "file": result.input.name,
        "valid": checked.map(|checked| checked.valid),
        "verdict": result.verdict(),
        "kind": checked.and_then(|checked| checked.kind).map(|kind| kind.id),
        "findings": result.findings,
    })
}

/// Workflow commands of GitHub Actions.
fn github(result: &Diagram<'_>, paths: &ReportPaths) -> Vec<String> {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let file = escape(&paths.name(result.input.path())).replace(',', "%2C").replace(':', "%3A");
    let command = |finding: &Finding| {
        let level =
            if finding.severity == Severity::Info { "notice" } else { severity_name(finding.severity) };
        let (line, column) = (finding.span.line, finding.span.column);
        let (code, message) = (&finding.code, escape(&finding.message));
        format!("::{level} file={file},line={line},col={column},title={code}::{message}\n")
    };
    result.findings.iter().map(command).collect()
}

/// A log in SARIF 2.1.0, with what GitHub requires beyond the schema.
fn sarif(results: &[Diagram<'_>], failures: &[String], paths: &ReportPaths) -> Value {
    let level = |severity| if severity == Severity::Info { "note" } else { severity_name(severity) };
    let rules = mermend::RULES.iter().map(|rule| {
        json!({
            "id": rule.code,
            "name": rule.name,
            "shortDescription": {"text": rule.section("What it finds")},
            "fullDescription": {"text": rule.section("Why it breaks")},
            "help": {"text": rule.section("Fix"), "markdown": rule.docs()},
            "defaultConfiguration": {"level": level(rule.severity)},
        })
    });
    let found = results.iter().flat_map(|result| {
        let uri = paths.uri(result.input.path());
        result.findings.iter().map(move |finding| {
            let message = [Some(finding.message.as_str()), finding.hint.as_deref()];
            // `open`: there is not enough to tell whether something is wrong.
            let open = result.verdict() == Some("unknown");
            json!({
                "ruleId": finding.code,
                "kind": if open { "open" } else { "fail" },
                "level": if open { "none" } else { level(finding.severity) },
                "message": {"text": message.into_iter().flatten().collect::<Vec<_>>().join(" ")},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {
                        "startLine": finding.span.line,
                        "startColumn": finding.span.column,
                        "endLine": finding.span.end_line,
                        "endColumn": finding.span.end_column,
                    },
                }}],
            })
        })
    });
    let failed = failures.iter().map(|message| json!({"level": "error", "message": {"text": message}}));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ba-copilot",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": failures.is_empty(),
                "toolExecutionNotifications": failed.collect::<Vec<_>>(),
            }],
            "columnKind": "unicodeCodePoints",
            "results": found.collect::<Vec<_>>(),
        }],
    })
}
