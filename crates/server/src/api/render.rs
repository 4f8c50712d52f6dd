//! `POST /api/v1/render`: the picture of a diagram.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Shared,
    http::error::{Body, Pending},
};
use application::{
    access::{Caller, Scope},
    picture::{self, Form},
};

/// Says how many pixels a PNG has for each unit: fewer than asked for where it would have been too large.
const PICTURE_SCALE: HeaderName = HeaderName::from_static("picture-scale");

/// What to draw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderBody {
    /// The Mermaid text.
    #[schema(example = "flowchart LR\n  a --> b")]
    code: String,
    /// `svg` (the default) or `png`.
    #[schema(example = "svg")]
    format: Option<String>,
    /// `light` (the default) or `dark`.
    #[schema(example = "light")]
    theme: Option<String>,
    /// Pixels for each unit of a PNG, 1 to 4; 2 if not given. Fewer where the picture would have more than 16 megapixels.
    #[schema(example = 2)]
    scale: Option<f32>,
}

/// Draw a picture
///
/// SVG carries its fonts, and no script, event attribute or outside reference.
#[utoipa::path(
    post,
    path = "/api/v1/render",
    operation_id = "render_code",
    tag = "check",
    request_body = RenderBody,
    responses(
        (status = 200, description = "The picture", headers(("picture-scale" = f32, description = "Pixels for each unit of a PNG; less than `scale` where the picture would have more than 16 megapixels")), content((String = "image/svg+xml"), (Vec<u8> = "image/png"))),
        crate::Problems,
    )
)]
pub async fn render_code(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<RenderBody>,
) -> Result<Response, Pending> {
    caller.require_scope(Scope::Generate)?;
    let form = Form::parse(body.format.as_deref().unwrap_or("svg"), body.scale.unwrap_or(2.0))?;
    let theme = body.theme.unwrap_or_else(|| "light".to_owned());
    let request = picture::Request { code: body.code, theme, elements: Vec::new() };
    let picture = picture::draw_one(&shared.app, request, form).await?;
    let mut response = picture.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    if let Some(scale) = picture.scale.and_then(|scale| HeaderValue::from_str(&format!("{scale:.3}")).ok()) {
        headers.insert(PICTURE_SCALE, scale);
    }
    // A picture opened on its own runs nothing either.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; font-src data:"),
    );
    Ok(response)
}
