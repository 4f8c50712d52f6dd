//! `explain_finding`: the meaning of a finding and its repair.

use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::tool::{About, Row, text, typed_row};
use crate::mcp::context::CallContext;
use application::{Error, reference_docs};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Code or name of a finding, for example `FLOW003` or `unquoted-label`.
    code: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Code of the rule.
    code: &'static str,
    /// Name of the rule.
    name: &'static str,
    /// What it finds, why Mermaid rejects that, an example and the repair, as Markdown.
    explanation: String,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "explain_finding",
            title: "Explain a finding",
            description: "Explains the code of a finding (for example FLOW003): what it finds, why Mermaid rejects \
                that, an example and the repair.",
            writes: false,
            viewer: false,
        },
        |_: CallContext, input| async move { run(&input) },
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
