//! `patch_diagram`: typed changes to a diagram, all or none.

use mermend::{Change, Operation};
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::{About, Row, text};
use crate::mcp::{Ask, quote::as_data};
use application::{Error, check};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Mermaid text of a flowchart or class diagram.
    #[serde(alias = "diagram")]
    code: String,
    /// What to change, in order. Either all of it is done or none.
    operations: Vec<Operation>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The changed text.
    code: String,
    /// Mermaid accepts it; always true, because a patch that breaks a diagram is refused.
    valid: bool,
    /// What is different now, by element.
    changes: Vec<Change>,
    /// The change as a unified diff.
    diff: String,
}

pub(super) fn row() -> Row {
    super::row(
        About {
            name: "patch_diagram",
            title: "Change a diagram",
            description: "Adds, removes and renames parts of a flowchart or class diagram by typed operations instead of by \
                writing the text anew: everything else (styles, comments, order) stays as it is, exactly what was asked is \
                done, and the result is checked. An operation that cannot be done refuses the whole patch and says why.",
            writes: false,
            viewer: false,
        },
        run,
    )
}

async fn run(Ask { app, .. }: Ask, input: Input) -> Result<(Output, Vec<ContentBlock>), Error> {
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
