//! `explain_finding`: what a code means and what to do about it.

use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::{About, Row, text};
use crate::mcp::Ask;
use application::{Error, reference_docs};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Code or name of a finding, for example `FLOW003` or `unquoted-label`.
    code: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Its code.
    code: &'static str,
    /// Its name.
    name: &'static str,
    /// What it finds, why Mermaid rejects that, an example and the repair, as Markdown.
    explanation: String,
}

pub(super) fn row() -> Row {
    super::row(
        About {
            name: "explain_finding",
            title: "Explain a finding",
            description: "Explains the code of a finding (for example FLOW003): what it finds, why Mermaid rejects that, an \
                example and the repair.",
            writes: false,
            viewer: false,
        },
        |_: Ask, input| async move { run(&input) },
    )
}

fn run(input: &Input) -> Result<(Output, Vec<ContentBlock>), Error> {
    let rule = reference_docs::explain(&input.code).ok_or_else(|| {
        Error::invalid(
            "code",
            format!("There is no such finding. There are {}.", reference_docs::codes().join(", ")),
        )
    })?;
    let output = Output { code: rule.code, name: rule.name, explanation: rule.docs() };
    Ok((output, vec![text(rule.page())]))
}
