//! `draft_diagram`: requirement text in, a diagram out that Mermaid accepts, with the words each part comes from.

use blueprint::Kind;
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tool::{About, Row, text, typed_row};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{
    Error,
    generate::{self, Request},
    session::{Author, TraceEntry},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The requirements: plain sentences, user stories, notes. 1 to 50,000 characters.
    text: String,
    /// Kind of the diagram.
    kind: Kind,
    /// `builtin` (the default; no model, no network) or a provider that is configured on this server.
    provider: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Whether Mermaid accepts exactly the text in `code`.
    valid: bool,
    /// The diagram.
    code: String,
    /// One sentence about the content of the diagram.
    summary: String,
    /// The typed model of the diagram.
    #[schemars(with = "Map<String, Value>")]
    blueprint: Value,
    /// The source words of each element. Offsets are UTF-8 bytes of `text`.
    trace: Vec<TraceEntry>,
    /// `builtin` or the provider that wrote it.
    provider: String,
    /// What to know before you rely on the diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// URI of the stored diagram, if this server stores diagrams.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "draft_diagram",
            title: "Draft a diagram from requirements",
            description: "Turns requirement text into a class, use-case or activity diagram that Mermaid accepts, by \
                rules and without a model: the same text gives the same diagram, and every element names the words \
                that it comes from. A good start to refine with patch_diagram, and a way to see what a text really \
                says.",
            writes: true,
            viewer: true,
        },
        run,
    )
}

async fn run(
    CallContext { app, caller }: CallContext,
    input: Input,
) -> Result<(Output, Vec<ContentBlock>), Error> {
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
        Author::Model => format!("Written by {}", generated.provider),
        Author::Builtin | Author::Fallback => "Drafted by rules, without a model".to_owned(),
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
            Author::Model => generated.provider.clone(),
            Author::Builtin | Author::Fallback => "builtin".to_owned(),
        },
        resource: generated.diagram_id.map(|id| format!("ba-copilot://diagrams/{id}")),
        code: generated.outcome.text,
        trace: generated.outcome.trace,
        warning: generated.outcome.warning,
    };
    Ok((output, vec![text(words)]))
}
