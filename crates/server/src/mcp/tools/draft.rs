//! `draft_diagram`: requirement text in, a diagram out that Mermaid accepts, with the words each part comes from.

use blueprint::Kind;
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{About, Row, text};
use crate::mcp::{Ask, quote::as_data};
use application::{
    Error,
    generate::{self, Request},
    session::{TraceEntry, Written},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The requirements: plain sentences, user stories, notes. 1 to 50,000 characters.
    text: String,
    /// What to draw.
    kind: Kind,
    /// Who writes: `builtin` (the default; no model, no network) or a provider that this server is configured for.
    provider: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Mermaid accepts exactly the text in `code`.
    valid: bool,
    /// The diagram.
    code: String,
    /// What it shows, in a sentence.
    summary: String,
    /// What it means, as typed data.
    blueprint: Value,
    /// Which words each element comes from. Offsets are UTF-8 bytes of `text`.
    trace: Vec<TraceEntry>,
    /// `builtin` or the provider that wrote it.
    provider: String,
    /// What a reader must know before relying on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// Address of the stored diagram, where this server keeps diagrams.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

pub(super) fn row() -> Row {
    super::row(
        About {
            name: "draft_diagram",
            title: "Draft a diagram from requirements",
            description: "Turns requirement text into a class, use-case or activity diagram that Mermaid accepts, by rules and \
                without a model: the same text gives the same diagram, and every element names the words that it comes from. A \
                good start to refine with patch_diagram, and a way to see what a text really says.",
            writes: true,
            viewer: true,
        },
        run,
    )
}

async fn run(Ask { app, caller }: Ask, input: Input) -> Result<(Output, Vec<ContentBlock>), Error> {
    let request = Request {
        kind: input.kind,
        message: input.text,
        project_id: None,
        content_id: None,
        provider: Some(input.provider.unwrap_or_else(|| "builtin".to_owned()).to_lowercase()),
        model: None,
        key: None,
        fallback: true,
    };
    let generated = generate::generate_diagram(&app, &caller, request, None).await?;
    let who = match generated.outcome.written {
        Written::Model => format!("Written by {}", generated.provider),
        Written::Builtin | Written::Fallback => "Drafted by rules, without a model".to_owned(),
    };
    let verdict =
        if generated.validated() { "Mermaid accepts it" } else { "checked by the fast parser only" };
    let mut quoted = format!("{}\n", generated.outcome.text.trim_end());
    for entry in &generated.outcome.trace {
        quoted.push_str(&format!("{} <- sentence {}: {}\n", entry.element, entry.requirement, entry.text));
    }
    let words = format!("{who}; {verdict}.\n{}", as_data(&quoted));
    let output = Output {
        valid: generated.validated(),
        summary: generated.summary(),
        blueprint: generated.model_json(),
        provider: match generated.outcome.written {
            Written::Model => generated.provider.clone(),
            Written::Builtin | Written::Fallback => "builtin".to_owned(),
        },
        resource: generated.diagram_id.map(|id| format!("ba-copilot://diagrams/{id}")),
        code: generated.outcome.text,
        trace: generated.outcome.trace,
        warning: generated.outcome.warning,
    };
    Ok((output, vec![text(words)]))
}
