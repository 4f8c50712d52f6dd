//! `/diagrams/{diagram}/versions/{number}.{extension}`: a version as a file.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{http::error::ProblemResponse, state::AppState};
use application::{
    Error,
    access::Caller,
    clock::rfc3339,
    open_diagram::{OpenDiagram, open_diagram},
    picture::{self, Form as PictureForm},
};

/// The most pixels for each unit of a PNG.
const MAX_SCALE: f32 = 4.0;

#[derive(Default, Deserialize)]
pub struct FileQuery {
    /// `light` (default) or `dark`.
    theme: Option<String>,
    /// Pixels per unit of a PNG; default 2.
    scale: Option<f32>,
}

/// `GET /diagrams/{diagram}/versions/{file}`
pub async fn find_file(
    State(state): State<AppState>,
    caller: Caller,
    Path((diagram, file)): Path<(String, String)>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let (number, extension) = file.split_once('.').ok_or(Error::NotFound("file"))?;
    let number: u32 = number.parse().map_err(|_| Error::NotFound("version"))?;
    let open = open_diagram(&state.app, &caller, &diagram, Some(number)).await?;
    let (media_type, bytes) = match extension {
        "mmd" => ("text/plain; charset=utf-8", open.version.mermaid.clone().into_bytes()),
        "md" => ("text/markdown; charset=utf-8", markdown(&open).into_bytes()),
        "json" => ("application/json", json_file(&open)?.into_bytes()),
        "svg" => ("image/svg+xml", picture(&state, &open, &query, PictureForm::Svg).await?),
        "png" => {
            let scale = query.scale.unwrap_or(2.0).clamp(1.0, MAX_SCALE);
            ("image/png", picture(&state, &open, &query, PictureForm::Png(scale)).await?)
        }
        _ => return Err(Error::NotFound("file").into()),
    };
    // A version never changes, but the rights of its reader may.
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..16]));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, media_type)], bytes).into_response(),
    };
    let name = format!("inline; filename=\"{}-{number}.{extension}\"", open.diagram.kind);
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    for (header, value) in [(header::ETAG, etag), (header::CONTENT_DISPOSITION, name)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            out.insert(header, value);
        }
    }
    Ok(response)
}

async fn picture(
    state: &AppState,
    open: &OpenDiagram,
    query: &FileQuery,
    form: PictureForm,
) -> Result<Vec<u8>, Error> {
    let request = picture::Request {
        code: open.version.mermaid.clone(),
        theme: query.theme.clone().unwrap_or_else(|| "light".to_owned()),
        elements: open.elements.clone(),
    };
    Ok(picture::draw_one(&state.app, request, form).await?.bytes)
}

fn markdown(open: &OpenDiagram) -> String {
    let code = open.version.mermaid.trim_end();
    // A fence is longer than any in the text.
    let longest = code.lines().map(|line| line.trim_start().bytes().take_while(|b| *b == b'`').count());
    let fence = "`".repeat(longest.max().unwrap_or(0).max(2) + 1);
    let requirement = match open.version.requirement.trim() {
        "" => String::new(),
        text => format!("\n## Requirements\n\n{text}\n"),
    };
    format!("# {}\n\n{fence}mermaid\n{code}\n{fence}\n{requirement}", open.diagram.title)
}

fn json_file(open: &OpenDiagram) -> Result<String, Error> {
    let (diagram, version) = (&open.diagram, &open.version);
    let blueprint = version.blueprint.as_ref().map(|text| text.decode::<serde_json::Value>()).transpose()?;
    let file = json!({
        "id": diagram.id.to_string(),
        "title": diagram.title,
        "kind": diagram.kind,
        "version": version.number,
        "validated": version.validated,
        "code": version.mermaid,
        "requirement": version.requirement,
        "blueprint": blueprint,
        "trace": open.trace,
        "created_at": rfc3339(version.created_at),
    });
    Ok(format!("{file:#}\n"))
}
