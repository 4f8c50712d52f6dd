//! Pictures of diagrams.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Body;
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::{Caller, Scope},
    picture::{self, Form},
};

/// Pixels per unit of a PNG: fewer than requested if the picture would have been too large.
const PICTURE_SCALE: HeaderName = HeaderName::from_static("picture-scale");
/// Scripts of the text of a PNG that no font has, such as `Korean (Hangul)`, separated by commas.
const MISSING_SCRIPTS: HeaderName = HeaderName::from_static("picture-missing-scripts");

/// What to render.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderBody {
    /// The Mermaid text.
    #[schema(example = "flowchart LR\n  a --> b")]
    code: String,
    /// `svg` (default) or `png`.
    #[schema(example = "svg")]
    format: Option<String>,
    /// `light` (default) or `dark`.
    #[schema(example = "light")]
    theme: Option<String>,
    /// Pixels per unit of a PNG, 1 to 4. Default: 2. Reduced if the picture would exceed 16 megapixels.
    #[schema(example = 2)]
    scale: Option<f32>,
}

/// Render a diagram as a picture
///
/// SVG embeds its fonts, and has no script, event attribute or external reference.
#[utoipa::path(
    post,
    path = "/api/v1/render",
    tag = "check",
    request_body = RenderBody,
    responses(
        (
            status = 200,
            description = "The picture",
            headers(
                (
                    "picture-scale" = f32,
                    description = "Pixels per unit of a PNG; less than `scale` if the picture would exceed 16 \
                        megapixels"
                ),
                (
                    "picture-missing-scripts" = String,
                    description = "Scripts of the text of a PNG that no font of the server has: their characters are \
                        boxes. Absent if there are none"
                ),
            ),
            content((String = "image/svg+xml"), (Vec<u8> = "image/png")),
        ),
        Problems,
    )
)]
pub async fn render_code(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<RenderBody>,
) -> Result<Response, ProblemResponse> {
    caller.require_scope(Scope::Generate)?;
    let form = Form::parse(body.format.as_deref().unwrap_or("svg"), body.scale.unwrap_or(2.0))?;
    let theme = body.theme.unwrap_or_else(|| "light".to_owned());
    let request = picture::Request { code: body.code, theme, elements: Vec::new() };
    let picture = picture::draw_one(&state.app, request, form).await?;
    let mut response = picture.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    if let Some(scale) = picture.scale.and_then(|scale| HeaderValue::from_str(&format!("{scale:.3}")).ok()) {
        headers.insert(PICTURE_SCALE, scale);
    }
    let missing = picture.missing_scripts.join(", ");
    if let Some(missing) = HeaderValue::from_str(&missing).ok().filter(|_| !missing.is_empty()) {
        headers.insert(MISSING_SCRIPTS, missing);
    }
    // Also for a picture that is opened on its own.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; font-src data:"),
    );
    Ok(response)
}
