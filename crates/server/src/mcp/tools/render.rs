//! `render_mermaid`: the picture of a diagram.

use mermend::{Engine, Finding};
use rmcp::{
    model::ContentBlock,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use super::{
    draw::{Drawn, draw},
    tool::{About, Row, size_of, text, typed_row},
    validate,
};
use crate::mcp::context::CallContext;
use application::{
    Error, check,
    picture::{self, Form},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The Mermaid text, without a code fence around it.
    #[serde(alias = "diagram")]
    code: String,
    /// `svg` (the default) or `png`.
    format: Option<String>,
    /// `light` (the default) or `dark`.
    theme: Option<String>,
    /// Pixels for each unit of a PNG, 1 to 4; default 2.
    scale: Option<f32>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Whether Mermaid accepts the text; only then is there a picture.
    valid: bool,
    /// Kind of the diagram.
    kind: Option<&'static str>,
    /// The findings.
    findings: Vec<Finding>,
    /// The engine that gave the verdict.
    validator: validate::ValidatorReply,
    /// The text that was drawn.
    code: String,
    /// Media type of the picture; null when there is none.
    media_type: Option<&'static str>,
    /// The picture, for `svg`, if it is not large. The picture is also a content of the answer: a PNG as an image, an
    /// SVG as a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    svg: Option<String>,
    /// Pixels for each unit of a PNG.
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<f64>,
    /// How the picture differs from what was asked for, or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(super) fn row() -> Row {
    typed_row(
        About {
            name: "render_mermaid",
            title: "Draw a Mermaid diagram",
            description: "Draws a Mermaid diagram as SVG (for files and pages; it embeds its fonts) or PNG (to look \
                at). Checks it first: when it is not valid there is no picture but the findings. Nothing is written \
                to a file and nothing is fetched.",
            writes: false,
            viewer: true,
        },
        run,
    )
}

async fn run(
    CallContext { app, .. }: CallContext,
    input: Input,
) -> Result<(Output, Vec<ContentBlock>), Error> {
    let form = Form::parse(input.format.as_deref().unwrap_or("svg"), input.scale.unwrap_or(2.0))?;
    let judged = check::check_in_process(&app, input.code.clone(), Engine::Mermaid).await?;
    let mut content = vec![text(validate::verdict_text(&judged))];
    let verdict = validate::Output::from(judged);
    let mut output = Output {
        valid: verdict.valid,
        kind: verdict.kind,
        findings: verdict.findings,
        validator: verdict.validator,
        code: input.code,
        media_type: None,
        svg: None,
        scale: None,
        note: None,
    };
    if output.valid {
        let theme = input.theme.unwrap_or_else(|| "light".to_owned());
        let request = picture::Request { code: output.code.clone(), theme, elements: Vec::new() };
        let used = size_of(&output) + size_of(&content);
        let Drawn { content: picture, svg, scale, note } = draw(&app, request, form, used).await?;
        output.media_type = picture.is_some().then(|| form.media_type());
        (output.svg, output.scale) = (svg, scale);
        output.note = note.clone();
        content.extend(note.map(text));
        content.extend(picture);
    }
    Ok((output, content))
}
