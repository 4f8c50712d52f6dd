//! `/`: generate a diagram.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use blueprint::{KINDS, Kind};
use maud::html;
use serde::Deserialize;
use serde_json::json;

use super::layout::{Form, Page, accepts_pages, error_page, explain, redirect};
use crate::{http::identify::MaybeCaller, state::AppState};
use application::{
    Error,
    access::Caller,
    generate::{self, Request},
    open_diagram::open_diagram,
    projects,
};

#[derive(Debug, Deserialize)]
pub struct HomeForm {
    #[serde(default)]
    message: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    project: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct HomeQuery {
    project: String,
    /// Id of a diagram whose requirement is to be drawn again.
    from: String,
}

/// `GET /` for programs: the name and the version of the service.
pub async fn show_service() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    axum::Json(json!({"service": "BA Copilot AI Service", "version": version, "status": "running"}))
        .into_response()
}

/// `GET /`: the page for browsers, JSON for programs.
pub async fn show_home(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    headers: HeaderMap,
    Query(query): Query<HomeQuery>,
) -> Response {
    if !accepts_pages(&headers) {
        return show_service().await;
    }
    let Some(caller) = visitor else { return redirect("/sign-in") };
    let row = &KINDS[0];
    let from = match query.from.is_empty() {
        true => None,
        false => match open_diagram(&state.app, &caller, &query.from, None).await {
            Ok(open) => Some(open),
            Err(error) => return error_page(Some(&caller), &error),
        },
    };
    let (message, project) = match &from {
        Some(open) => (open.version.requirement.as_str(), open.diagram.project_id.as_str()),
        None => (row.sample_text, query.project.as_str()),
    };
    page(&state, &caller, &Shown { message, kind: row.kind, project }, None).await
}

/// `POST /`
pub async fn submit_home(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<HomeForm>,
) -> Response {
    let kind = Kind::parse(&form.kind).unwrap_or(KINDS[0].kind);
    let request = Request {
        kind,
        message: form.message.clone(),
        project_id: Some(form.project.clone()).filter(|id| !id.is_empty()),
        content_id: None,
        provider: None,
        model: None,
        key: None,
        fallback: true,
    };
    let shown = Shown { message: &form.message, kind, project: &form.project };
    match generate::generate_diagram(&state.app, &caller, request, None).await {
        // Its own address: opening it again draws nothing again.
        Ok(generated) => match &generated.diagram_id {
            Some(id) => redirect(&format!("/diagrams/{id}")),
            None => error_page(Some(&caller), &Error::Unavailable(NOT_STORED.to_owned())),
        },
        Err(error) => page(&state, &caller, &shown, Some(&error)).await,
    }
}

const NOT_STORED: &str =
    "The diagram was drawn and not stored, because this process has no database. Use a server with one.";

/// The values of the form.
struct Shown<'a> {
    message: &'a str,
    kind: Kind,
    project: &'a str,
}

async fn page(state: &AppState, caller: &Caller, shown: &Shown<'_>, error: Option<&Error>) -> Response {
    let writer = match state.app.config.default_provider() {
        Some(provider) => format!("Diagrams are written by {}.", provider.row().label),
        None => "No model is configured: the built-in drafter writes diagrams on this machine.".to_owned(),
    };
    let projects = match projects::list_writable(&state.app, caller).await {
        Ok(projects) => projects,
        Err(error) => return error_page(Some(caller), &error),
    };
    // Never silently into another project than the one that was asked for.
    let elsewhere = !shown.project.is_empty() && !projects.iter().any(|it| it.id.as_str() == shown.project);
    let body = html! {
        main {
            form.card method="post" action="/" {
                label for="message" { "Requirements" }
                textarea #message name="message" required
                    maxlength=(generate::MAX_MESSAGE_CHARS) spellcheck="true" { (shown.message) }
                fieldset {
                    legend { "Diagram" }
                    @for row in KINDS {
                        label.choice {
                            input type="radio" name="kind" value=(row.id) checked[row.kind == shown.kind];
                            span { (row.name) }
                        }
                    }
                }
                @if elsewhere {
                    p."note"."warning" { "You may not draw in that project. Choose one in which you may." }
                }
                @if projects.len() > 1 || elsewhere {
                    label for="project" { "Project" }
                    select #project name="project" required {
                        @if elsewhere { option value="" selected { "Choose a project" } }
                        @for project in &projects {
                            option value=(project.id) selected[project.id.as_str() == shown.project] { (project.name) }
                        }
                    }
                }
                button type="submit" { "Draw" }
                p.soft { (writer) }
            }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), "", body).with_error(explained.as_ref()).show()
}
