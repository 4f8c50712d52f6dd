//! `list_kinds`: what can be checked and drawn, and what can be drafted.

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
    /// Our name for it.
    id: &'static str,
    /// What people call it.
    name: &'static str,
    /// What a diagram of this kind begins with.
    header: &'static str,
    /// A small diagram that is valid.
    sample: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct DraftedReply {
    /// Our name for it.
    id: &'static str,
    /// What people call it.
    name: &'static str,
}

pub(super) fn row() -> Row {
    super::row(
        About {
            name: "list_kinds",
            title: "List kinds of diagrams",
            description: "Lists every kind of Mermaid diagram with what it begins with and a small valid sample, and the kinds \
                that draft_diagram draws from requirements. The resource ba-copilot://kinds/KIND tells more about one.",
            writes: false,
            viewer: false,
        },
        |_: Ask, _input: Input| async move { run() },
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
