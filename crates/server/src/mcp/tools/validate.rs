//! `validate_mermaid`: whether a text is valid Mermaid, and the findings.

use mermend::{Engine, Finding, Severity};
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::tool::{About, Row, text, typed_row};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{
    Error,
    check::{self, CheckResult},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The Mermaid text, without a code fence around it.
    code: Option<String>,
    /// Another name of `code`.
    diagram: Option<String>,
    /// Reserved for the viewer that must show the diagram. Not supported yet: a call with it is refused.
    target: Option<String>,
    /// `mermaid` (the default): Mermaid's own parser. `fast`: a parser in Rust that is ten times faster and right
    /// in nearly all cases.
    engine: Option<EngineName>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EngineName {
    Mermaid,
    Fast,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Whether the parser accepts exactly this text.
    pub(super) valid: bool,
    /// `valid`, `invalid`, or `unknown` if a limit was reached or the engine did not run.
    pub(super) verdict: &'static str,
    /// Kind of the diagram, for example `flowchart`; null if it is unknown.
    pub(super) kind: Option<&'static str>,
    /// The findings; valid diagrams may have some too.
    pub(super) findings: Vec<Finding>,
    /// The engine that gave the verdict.
    pub(super) validator: ValidatorReply,
    /// Reserved for the verdicts of viewers; always empty.
    #[schemars(with = "Map<String, Value>")]
    pub(super) targets: Value,
    /// Whether the verdict was cached.
    pub(super) cached: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ValidatorReply {
    /// `mermaid` or `fast`.
    engine: &'static str,
    /// Version of Mermaid; null for the fast parser.
    version: Option<String>,
}

impl From<CheckResult> for Output {
    fn from(judged: CheckResult) -> Self {
        let CheckResult { checked, by } = judged;
        Output {
            valid: checked.valid,
            verdict: checked.verdict(),
            kind: checked.kind.map(|kind| kind.id),
            cached: checked.mermaid.as_ref().or(checked.fast.as_ref()).is_some_and(|verdict| verdict.cached),
            findings: checked.findings,
            validator: ValidatorReply { engine: by.engine, version: by.version },
            targets: json!({}),
        }
    }
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "validate_mermaid",
            title: "Check a Mermaid diagram",
            description: "Checks a Mermaid diagram with Mermaid's own parser (no browser, some milliseconds). Use it \
                on every diagram before you show it or write it to a file. Answers valid true or false and, for each \
                problem, a code, line and column, a plain message and a hint. An invalid diagram is a normal answer; \
                repair it by the findings or with repair_mermaid, then check again.",
            writes: false,
            viewer: true,
        },
        run,
    )
}

async fn run(
    CallContext { app, .. }: CallContext,
    input: Input,
) -> Result<(Output, Vec<rmcp::model::ContentBlock>), Error> {
    check::refuse_target(input.target.as_deref())?;
    let engine = match input.engine {
        None | Some(EngineName::Mermaid) => Engine::Mermaid,
        Some(EngineName::Fast) => Engine::Fast,
    };
    let code = input
        .code
        .or(input.diagram)
        .ok_or_else(|| Error::invalid("code", "`code` is missing: send the Mermaid text."))?;
    let judged = check::check_in_process(&app, code, engine).await?;
    let words = text(verdict_text(&judged));
    Ok((Output::from(judged), vec![words]))
}

/// The verdict in words: first the product's own, then those that quote the diagram.
pub(in crate::mcp) fn verdict_text(judged: &CheckResult) -> String {
    let CheckResult { checked, by } = judged;
    let who = match &by.version {
        Some(version) => format!("Mermaid {version}"),
        None => "The fast parser".to_owned(),
    };
    let what = checked.kind.map_or("text", |kind| kind.name).to_lowercase();
    let mut out = match checked.verdict() {
        "valid" => format!("Valid. {who} accepts this {what}."),
        "unknown" => format!("Not known. {who} has no verdict on this {what}."),
        _ => format!("Not valid. {who} does not accept this {what}."),
    };
    if !checked.findings.is_empty() {
        out.push_str(&format!(" Findings: {}.\n", checked.findings.len()));
        out.push_str(&as_data(&finding_lines(&checked.findings)));
    }
    out
}

/// One line for each finding, and its hint.
pub(super) fn finding_lines(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let span = finding.span;
        let hint = finding.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!(
            "{severity} {} line {} column {}: {}{hint}\n",
            finding.code, span.line, span.column, finding.message
        )
    };
    findings.iter().map(line).collect()
}
