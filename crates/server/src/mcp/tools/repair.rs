//! `repair_mermaid`: mend without a model what can be mended without a guess.

use mermend::{Finding, Kept, RepairStep};
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::{About, Row, text, validate::finding_lines};
use crate::mcp::{Ask, quote::as_data};
use application::{Error, check};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Mermaid text; a code fence or prose around it is taken off.
    #[serde(alias = "diagram")]
    code: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The mended text; as it came if it was valid or could not be mended.
    code: String,
    /// Mermaid accepts `code`.
    valid: bool,
    /// `code` is another text than what came.
    changed: bool,
    /// `none`, `safe` (the meaning is kept), `lossy` (something was dropped) or `needs_author` (could not be mended).
    class: &'static str,
    /// What was done, in order.
    steps: Vec<RepairStep>,
    /// The change as a unified diff.
    diff: String,
    /// What of the diagram is still there.
    kept: Kept,
    /// What is left to say of `code`.
    findings: Vec<Finding>,
}

pub(super) fn row() -> Row {
    super::row(
        About {
            name: "repair_mermaid",
            title: "Repair a Mermaid diagram",
            description: "Mends the mistakes that language models make in Mermaid (unquoted labels, code fences, reserved \
                words, missing ends, wrong arrows, …) without a model and without a guess. Answers the mended text, whether \
                Mermaid accepts it, each step and a diff. A valid text comes back untouched; what only the author can decide \
                is left and named in the findings.",
            writes: false,
            viewer: false,
        },
        run,
    )
}

async fn run(Ask { app, .. }: Ask, input: Input) -> Result<(Output, Vec<ContentBlock>), Error> {
    let repaired = check::repair_code(&app, input.code).await?;
    let mut words = match (repaired.valid, repaired.changed) {
        (true, false) => "Valid already; nothing was changed.".to_owned(),
        (true, true) => format!("Mended in {} steps; Mermaid accepts it now.", repaired.steps.len()),
        (false, _) => "Not mended: what is left needs the author.".to_owned(),
    };
    let mut quoted = String::new();
    if repaired.changed {
        quoted.push_str(&format!("{}\n", repaired.code.trim_end()));
    }
    if !repaired.findings.is_empty() {
        quoted.push_str(&finding_lines(&repaired.findings));
    }
    if !quoted.is_empty() {
        words = format!("{words}\n{}", as_data(&quoted));
    }
    let output = Output {
        class: check::class_word(&repaired),
        valid: repaired.valid,
        changed: repaired.changed,
        steps: repaired.steps,
        diff: repaired.diff,
        kept: repaired.kept,
        findings: repaired.findings,
        code: repaired.code,
    };
    Ok((output, vec![text(words)]))
}
