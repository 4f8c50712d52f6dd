//! `compare_diagrams`: what changed between two diagrams, by element.

use mermend::Comparison;
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::Deserialize;

use super::tool::{About, Row, text, typed_row};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{Error, check};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The old Mermaid text.
    old: String,
    /// The new Mermaid text.
    new: String,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "compare_diagrams",
            title: "Compare two diagrams",
            description: "Compares two Mermaid diagrams by element (classes, attributes, steps, lines), in words for \
                people who do not read diffs; order and layout do not count. Kinds without elements are compared by \
                line.",
            writes: false,
            viewer: false,
        },
        run,
    )
}

async fn run(
    CallContext { app, .. }: CallContext,
    input: Input,
) -> Result<(Comparison, Vec<ContentBlock>), Error> {
    let comparison = check::compare_code(&app, input.old, input.new).await?;
    let words = match (comparison.same, comparison.by_element) {
        (true, _) => "The diagrams are equal.".to_owned(),
        (false, true) => {
            let lines: String =
                comparison.changes.iter().map(|change| format!("{}\n", change.message)).collect();
            format!("{} changes.\n{}", comparison.changes.len(), as_data(&lines))
        }
        (false, false) => format!("They differ; by line:\n{}", as_data(&comparison.diff)),
    };
    Ok((comparison, vec![text(words)]))
}
