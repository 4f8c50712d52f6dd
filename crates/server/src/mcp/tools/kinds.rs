//! `list_kinds`: the kinds that can be checked and drawn, and those that can be drafted.

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
struct Input {}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Every kind that can be checked, repaired and drawn.
    kinds: Vec<KindReply>,
    /// Kinds that draft_diagram draws from requirements.
    drafted: Vec<DraftedReply>,
    /// Version of Mermaid whose parser gives the verdict; null in a build without it.
    mermaid_version: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct KindReply {
    /// Id of the kind.
    id: &'static str,
    /// Name of the kind.
    name: &'static str,
    /// The keyword that a diagram of this kind begins with.
    header: &'static str,
    /// A small valid diagram.
    sample: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct DraftedReply {
    /// Id of the kind.
    id: &'static str,
    /// Name of the kind.
    name: &'static str,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "list_kinds",
            title: "List kinds of diagrams",
            description: "Lists every kind of Mermaid diagram with what it begins with and a small valid sample, and \
                the kinds that draft_diagram draws from requirements. The resource ba-copilot://kinds/KIND describes \
                one.",
            writes: false,
            viewer: false,
        },
        |_: CallContext, _input: Input| async move { run() },
    )
}

fn run() -> Result<(Output, Vec<ContentBlock>), Error> {
    let kinds = mermend::kinds::KINDS.iter().map(|kind| KindReply {
        id: kind.id,
        name: kind.name,
        header: kind.header,
        sample: kind.sample,
    });
    let drafted = blueprint::KINDS.iter().map(|row| DraftedReply { id: row.id, name: row.name });
    let output = Output {
        kinds: kinds.collect(),
        drafted: drafted.collect(),
        mermaid_version: mermend::MERMAID_VERSION,
    };
    Ok((output, vec![text(reference_docs::kind_index())]))
}
