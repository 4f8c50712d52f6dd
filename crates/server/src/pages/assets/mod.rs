//! Styles, script and fonts of the pages, served from the binary.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};

use crate::http::error::ProblemResponse;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub async fn find_asset(Path(file): Path<String>) -> Response {
    const DAY: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=86400");
    match file.as_str() {
        "page.css" => (
            [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")],
            style(),
        )
            .into_response(),
        "page.js" => (
            [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")],
            SCRIPT,
        )
            .into_response(),
        name => match font(name) {
            Some(bytes) => ([(header::CONTENT_TYPE, "font/woff2"), DAY], bytes).into_response(),
            None => ProblemResponse::no_such_route().into_response(),
        },
    }
}

/// The style sheet, after the fonts that pictures are measured with.
fn style() -> String {
    let mut css = String::new();
    #[cfg(feature = "mermaid")]
    for font in mermend::picture::web_fonts() {
        css.push_str(&format!(
            "@font-face{{font-family:Inter;font-weight:{};font-display:swap;\
             src:url({}) format('woff2');unicode-range:{}}}\n",
            font.weight, font.file, font.unicode_range
        ));
    }
    css.push_str(STYLE);
    css
}

#[cfg(feature = "mermaid")]
fn font(name: &str) -> Option<&'static [u8]> {
    mermend::picture::web_fonts().iter().find(|font| font.file == name).map(|font| font.woff2)
}

#[cfg(not(feature = "mermaid"))]
fn font(_name: &str) -> Option<&'static [u8]> {
    None
}
