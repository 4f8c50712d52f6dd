//! Pictures as contents of an answer, within the limit of its size.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rmcp::model::{Annotations, ContentBlock, EmbeddedResource, ResourceContents, Role};

use super::tool::{ENVELOPE_BYTES, MAX_ANSWER_BYTES, size_of};
use application::{
    Error,
    app::App,
    picture::{self, Form, Request},
};

/// The least scale of a PNG.
const MIN_SCALE: f32 = 1.0;

/// A picture, or why there is none.
#[derive(Default)]
pub(super) struct Drawn {
    /// `None` if the picture is too large at every scale.
    pub(super) content: Option<ContentBlock>,
    /// The text of an SVG.
    pub(super) svg: Option<String>,
    /// Pixels for each unit of a PNG.
    pub(super) scale: Option<f64>,
    /// How the picture differs from what was asked for.
    pub(super) note: Option<String>,
}

/// Draws a diagram. The rest of the answer has `used` bytes.
pub(super) async fn draw(app: &App, request: Request, form: Form, used: usize) -> Result<Drawn, Error> {
    let room = MAX_ANSWER_BYTES.saturating_sub(used + ENVELOPE_BYTES);
    match form {
        Form::Png(scale) => png(app, request, scale, room).await,
        Form::Svg | Form::SvgForPage => svg(app, request, room).await,
    }
}

async fn png(app: &App, request: Request, asked: f32, room: usize) -> Result<Drawn, Error> {
    let mut wanted = asked;
    loop {
        let form = Form::Png(wanted);
        let picture = picture::draw_one(app, request.clone(), form).await?;
        let scale = picture.scale.unwrap_or(wanted);
        let size = picture.bytes.len().div_ceil(3) * 4;
        if size <= room {
            let by_size = (wanted < asked).then(|| {
                format!(
                    "The picture has {scale:.2} pixels for each unit instead of {asked}, because an answer has at most \
                     {MAX_ANSWER_BYTES} bytes. Use svg for every detail, or split the diagram."
                )
            });
            return Ok(Drawn {
                content: Some(ContentBlock::image(STANDARD.encode(&picture.bytes), form.media_type())),
                scale: Some(f64::from((scale * 100.0).round()) / 100.0),
                note: by_size.or_else(|| picture.note()),
                ..Drawn::default()
            });
        }
        if scale <= MIN_SCALE {
            return Ok(too_large("PNG", size, "svg"));
        }
        // The size grows less than the area, because most of it is plain ground; so that a third attempt is rare.
        let factor = (room as f32 / size as f32).powf(0.7) * 0.95;
        wanted = (scale * factor.min(0.9)).max(MIN_SCALE);
    }
}

async fn svg(app: &App, request: Request, room: usize) -> Result<Drawn, Error> {
    let picture = picture::draw_one(app, request, Form::Svg).await?;
    let svg =
        String::from_utf8(picture.bytes).map_err(|_| Error::Internal("an SVG was not UTF-8".to_owned()))?;
    let size = size_of(&svg);
    if size > room {
        return Ok(too_large("SVG", size, "png"));
    }
    // A block of text that clients of every revision know. Vendors of models refuse images of this type, and a model
    // has no use for the long text, so that it is a resource for the user.
    let resource = ResourceContents::text(svg.as_str(), "ba-copilot://picture.svg")
        .with_mime_type(Form::Svg.media_type());
    let for_users = Annotations::default().with_audience(vec![Role::User]);
    let content = ContentBlock::Resource(EmbeddedResource::new(resource).with_annotations(for_users));
    // Programs read it from the structured form, if there is room for both.
    Ok(match 2 * size <= room {
        true => Drawn { content: Some(content), svg: Some(svg), ..Drawn::default() },
        false => Drawn {
            content: Some(content),
            note: Some("The SVG is in the resource of this answer only, because of its size.".to_owned()),
            ..Drawn::default()
        },
    })
}

fn too_large(name: &str, size: usize, other: &str) -> Drawn {
    let note = format!(
        "The answer has no picture: the {name} has {size} bytes as JSON, and an answer has at most {MAX_ANSWER_BYTES}. \
         Use the format {other}, split the diagram, or draw it with `ba-copilot render` or POST /api/v1/render."
    );
    Drawn { note: Some(note), ..Drawn::default() }
}
