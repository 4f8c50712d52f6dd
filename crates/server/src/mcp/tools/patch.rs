//! `patch_diagram`: typed changes to a diagram, all or none.

use mermend::{Change, Operation};
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::tool::{About, Row, text, typed_row};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{Error, check};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Mermaid text of a flowchart or class diagram.
    #[serde(alias = "diagram")]
    code: String,
    /// The operations, in order. All of them are carried out, or none.
    operations: Vec<Operation>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The changed text.
    code: String,
    /// Whether Mermaid accepts it. Always true, because a patch that breaks a diagram is refused.
    valid: bool,
    /// The changes by element.
    changes: Vec<Change>,
    /// The change as a unified diff.
    diff: String,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "patch_diagram",
            title: "Change a diagram",
            description: "Adds, removes and renames parts of a flowchart or class diagram by typed operations instead \
                of by rewriting the text: everything else (styles, comments, order) is unchanged, and the result is \
                checked. If an operation cannot be carried out, the whole patch is refused with the reason.",
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
    let patched = check::patch_code(&app, input.code, input.operations).await?;
    let lines: String = patched.changes.iter().map(|change| format!("{}\n", change.message)).collect();
    let words =
        format!("Done; Mermaid accepts it.\n{}", as_data(&format!("{}\n\n{lines}", patched.code.trim_end())));
    let output = Output {
        valid: patched.checked.valid,
        changes: patched.changes,
        diff: patched.diff,
        code: patched.code,
    };
    Ok((output, vec![text(words)]))
}
