//! `repair_mermaid`: repair what can be repaired without a model and without a guess.

use mermend::{Finding, Kept, RepairStep};
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::{
    tool::{About, Row, text, typed_row},
    validate::finding_lines,
};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{Error, check};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Mermaid text; a code fence or prose around it is removed.
    #[serde(alias = "diagram")]
    code: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The repaired text; unchanged if it was valid or nothing of it could be repaired.
    code: String,
    /// Whether Mermaid accepts `code`.
    valid: bool,
    /// Whether `code` differs from the input. With `valid` false, a part was repaired; `findings` lists what is left.
    changed: bool,
    /// `none`, `safe` (the meaning is kept), `lossy` (something was dropped) or `needs_author` (could not be repaired).
    class: &'static str,
    /// The repairs, in order.
    steps: Vec<RepairStep>,
    /// The change as a unified diff.
    diff: String,
    /// What the repair kept.
    kept: Kept,
    /// The remaining findings in `code`.
    findings: Vec<Finding>,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "repair_mermaid",
            title: "Repair a Mermaid diagram",
            description: "Repairs the mistakes that language models make in Mermaid (unquoted labels, code fences, \
                reserved words, missing ends, wrong arrows, …) without a model and without a guess. Returns the \
                repaired text, whether Mermaid accepts it, each step and a diff. A valid text is returned unchanged; \
                what only the author can decide is left and named in the findings, and the rest is repaired.",
            writes: false,
            viewer: false,
        },
        run,
    )
}

async fn run(
    CallContext { app, .. }: CallContext,
    input: Input,
) -> Result<(Output, Vec<ContentBlock>), Error> {
    let repaired = check::repair_code(&app, input.code).await?;
    let mut words = match (repaired.valid, repaired.changed) {
        (true, false) => "Valid already; nothing was changed.".to_owned(),
        (true, true) => format!("Repaired in {} steps; Mermaid accepts it now.", repaired.steps.len()),
        (false, true) => format!(
            "Partly repaired in {} steps, without loss; Mermaid does not accept it yet: the findings need the author.",
            repaired.steps.len()
        ),
        (false, false) => "Not repaired: the remaining problems need the author.".to_owned(),
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
