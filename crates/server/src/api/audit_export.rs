//! Audit events as a file, which is streamed. If the database fails meanwhile, the connection is aborted, so that
//! an incomplete file is recognised as incomplete.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;

use super::{
    audit::{AuditEventReply, EventsQuery},
    extract::Query,
    reply::as_json,
};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    AuditEvent, Error,
    access::Caller,
    audit::{self, Export, ExportForm},
    clock::rfc3339,
};

/// The format of an export.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FormatQuery {
    /// `jsonl` (default): one JSON object per line. `csv`: a table with a header row.
    #[param(example = "jsonl")]
    format: Option<String>,
}

impl FormatQuery {
    fn read(&self) -> Result<ExportForm, Error> {
        self.format.as_deref().map_or(Ok(ExportForm::Jsonl), ExportForm::parse)
    }
}

/// Export the audit events of a project
///
/// Streams all matching events as a file, newest first. If the connection breaks, the file is incomplete: request it
/// again.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/audit-events/export",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project"), FormatQuery, EventsQuery),
    responses(
        (
            status = 200,
            description = "The file",
            content((String = "application/x-ndjson"), (String = "text/csv")),
        ),
        Problems,
    ),
)]
pub async fn export_project_events(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(format): Query<FormatQuery>,
    Query(asked): Query<EventsQuery>,
) -> Result<Response, ProblemResponse> {
    let form = format.read()?;
    let export = audit::export_project_events(&state.app, &caller, &project, &asked.into(), form).await?;
    Ok(file(&state, export, form))
}

/// Export the audit events of the server
///
/// Streams all matching events as a file, newest first. If the connection breaks, the file is incomplete: request it
/// again.
#[utoipa::path(
    get,
    path = "/api/v1/audit-events/export",
    tag = "administration",
    params(FormatQuery, EventsQuery),
    responses(
        (
            status = 200,
            description = "The file",
            content((String = "application/x-ndjson"), (String = "text/csv")),
        ),
        Problems,
    ),
)]
pub async fn export_events(
    State(state): State<AppState>,
    caller: Caller,
    Query(format): Query<FormatQuery>,
    Query(asked): Query<EventsQuery>,
) -> Result<Response, ProblemResponse> {
    let form = format.read()?;
    let export = audit::export_events(&state.app, &caller, &asked.into(), form).await?;
    Ok(file(&state, export, form))
}

/// The response, which reads page by page as fast as the caller does.
fn file(state: &AppState, export: Export, form: ExportForm) -> Response {
    let day: String = rfc3339(state.app.clock.now_us()).chars().take(10).collect();
    // An id may have characters that a file name may not have.
    let project: String = export
        .project()
        .unwrap_or("server")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    let name = format!("audit-events-{project}-{day}.{}", form.word());
    let pages = stream::try_unfold((export, true), move |(mut export, first)| async move {
        let events = match export.next_events().await {
            Ok(Some(events)) => events,
            Ok(None) => return Ok(None),
            Err(error) => {
                // The response has begun, so that its status cannot change any more.
                tracing::error!(error.code = error.code(), "An export of audit events was aborted: {error}");
                return Err(error);
            }
        };
        let written = match form {
            ExportForm::Jsonl => lines(events),
            ExportForm::Csv => rows(events, first)?,
        };
        Ok(Some((written, (export, false))))
    });
    let mut response = Body::from_stream(pages).into_response();
    let headers = response.headers_mut();
    let media_type = match form {
        ExportForm::Jsonl => "application/x-ndjson",
        ExportForm::Csv => "text/csv; charset=utf-8; header=present",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(named) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, named);
    }
    response
}

fn lines(events: Vec<AuditEvent>) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        out.extend(as_json(&AuditEventReply::from(event)).to_string().into_bytes());
        out.push(b'\n');
    }
    out
}

/// Rows in the format of RFC 4180; the first page begins with the header.
fn rows(events: Vec<AuditEvent>, first: bool) -> Result<Vec<u8>, Error> {
    const COLUMNS: [&str; 8] =
        ["id", "at", "user_id", "token_id", "action", "project_id", "subject", "details"];
    let failed = |_| Error::Internal("a row of a table could not be written".to_owned());
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if first {
        writer.write_record(COLUMNS).map_err(failed)?;
    }
    for event in events {
        let id = |id: Option<String>| defused(id.unwrap_or_default());
        writer
            .write_record([
                defused(event.id.to_string()),
                rfc3339(event.at),
                id(event.user_id.map(|id| id.to_string())),
                id(event.token_id.map(|id| id.to_string())),
                defused(event.action),
                id(event.project_id.map(|id| id.to_string())),
                defused(event.subject),
                defused(event.details.as_str().to_owned()),
            ])
            .map_err(failed)?;
    }
    writer.into_inner().map_err(|_| failed_to_end())
}

fn failed_to_end() -> Error {
    Error::Internal("a table could not be ended".to_owned())
}

/// A cell that a spreadsheet reads as text and never as a formula.
fn defused(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=1", "'\t=1"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("", ""),
            ("usr_1", "usr_1"),
        ] {
            assert_eq!(defused(cell.to_owned()), written);
        }
    }
}
