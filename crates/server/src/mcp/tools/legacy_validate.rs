//! `validateMermaid`: the tool of an older validator, so that its clients work unchanged.
//!
//! Names, words and the order of the contents are those of `@rtuin/mcp-mermaid-validator`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mermend::Engine;
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::Deserialize;

use super::{
    draw::draw,
    tool::{About, Row, size_of, text, typed_row},
    validate::{Output, finding_lines},
};
use crate::mcp::{context::CallContext, quote::as_data};
use application::{
    Error, check,
    picture::{self, Form},
};

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// The Mermaid text.
    diagram: String,
    /// `png` (the default) or `svg`.
    format: Option<String>,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "validateMermaid",
            title: "Check and draw a Mermaid diagram (older name)",
            description: "Validates a Mermaid diagram and returns the rendered image (PNG or SVG) if valid. Kept for \
                clients of an older validator; use validate_mermaid and render_mermaid instead.",
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
    let form = Form::parse(input.format.as_deref().unwrap_or("png"), 2.0)?;
    let judged = check::check_in_process(&app, input.diagram.clone(), Engine::Mermaid).await?;
    let output = Output::from(judged);
    if !output.valid {
        let (title, main) = match output.verdict {
            "unknown" => {
                ("Mermaid diagram could not be checked", "Mermaid's parser has no verdict on the diagram.")
            }
            _ => ("Mermaid diagram is invalid", "Mermaid's parser does not accept the diagram."),
        };
        let details = format!("Detailed error output:\n{}", as_data(&finding_lines(&output.findings)));
        return Ok((output, vec![text(title), text(main), text(details)]));
    }
    let request = picture::Request { code: input.diagram, theme: "light".to_owned(), elements: Vec::new() };
    let mut content = vec![text("Mermaid diagram is valid")];
    let drawn = draw(&app, request, form, size_of(&output) + size_of(&content)).await?;
    // Its clients expect an SVG as an image.
    content.extend(match drawn.svg {
        Some(svg) => Some(ContentBlock::image(STANDARD.encode(svg), form.media_type())),
        None => drawn.content,
    });
    content.extend(drawn.note.map(text));
    Ok((output, content))
}
