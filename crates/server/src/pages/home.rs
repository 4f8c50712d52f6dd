//! `/`: generate a diagram, and see its picture, its source and the source words of each element.

use axum::{
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use blueprint::{KINDS, Kind};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use super::layout::{Form, Page, error_page, explain, redirect};
use crate::{http::identify::MaybeCaller, state::AppState};
use application::{
    Error,
    access::Caller,
    app::App,
    generate::{self, Generated, Request},
    picture::{self, Form as PictureForm},
    projects,
    session::{Author, TraceEntry},
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
pub struct HomeQuery {
    #[serde(default)]
    project: String,
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
    let accepts = |kind: &str| {
        headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains(kind))
    };
    if !accepts("text/html") {
        return show_service().await;
    }
    let Some(caller) = visitor else { return redirect("/sign-in") };
    let row = &KINDS[0];
    let shown = Shown { message: row.sample_text, kind: row.kind, project: &query.project };
    page(&state, &caller, &shown, html! {}, None).await
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
        Ok(generated) => {
            let result = show_result(&state.app, &generated, &form.message).await;
            page(&state, &caller, &shown, result, None).await
        }
        Err(error) => page(&state, &caller, &shown, html! {}, Some(&error)).await,
    }
}

/// The values of the form.
struct Shown<'a> {
    message: &'a str,
    kind: Kind,
    project: &'a str,
}

async fn show_result(app: &App, generated: &Generated, message: &str) -> Markup {
    let outcome = &generated.outcome;
    let request = picture::Request {
        code: outcome.text.clone(),
        theme: "light".to_owned(),
        elements: outcome.elements.clone(),
    };
    let drawn =
        picture::draw(app, request, vec![PictureForm::SvgForPage, PictureForm::Svg, PictureForm::Png(2.0)])
            .await;
    let file = |extension: &str| format!("{}.{extension}", generated.kind.row().slug);
    let data =
        |media_type: &str, bytes: &[u8]| format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
    html! {
        section.card aria-label="Diagram" {
            @if let Some(warning) = &outcome.warning { p."note"."warning" { (warning) } }
            @if generated.validated() {
                p."note"."good" {
                    "Checked by Mermaid " (mermend::MERMAID_VERSION.unwrap_or_default()) ". "
                    @match outcome.written {
                        Author::Model => { "Written by " (generated.provider) ", " (generated.model) "." }
                        Author::Builtin | Author::Fallback => { "Drafted by the built-in drafter, without a model." }
                    }
                }
            } @else {
                p."note"."warning" { "Checked by the fast parser only: this program was built without Mermaid's own." }
            }
            div.bar {
                h2 { (generated.kind.row().name) }
                @if let Ok([_, svg, png]) = drawn.as_deref() {
                    a."button"."quiet" download=(file("svg")) href=(data("image/svg+xml", &svg.bytes)) {
                        "Download SVG"
                    }
                    a."button"."quiet" download=(file("png")) href=(data("image/png", &png.bytes)) {
                        "Download PNG"
                    }
                }
            }
            @match &drawn {
                // Cleaned by mermend: no script, no event attribute, no outside reference.
                Ok(drawn) => {
                    @for svg in drawn.iter().take(1) {
                        div.picture { (PreEscaped(String::from_utf8_lossy(&svg.bytes))) }
                    }
                }
                Err(error) => { p."note"."warning" { (error.to_string()) } }
            }
            p.soft { (generated.summary()) }
            @if let Some(id) = &generated.diagram_id {
                p { a href={ "/diagrams/" (id) } { "Open the diagram and its versions" } }
            }
        }
        section.card aria-label="Source" {
            div.bar {
                h2 { "Mermaid source" }
                button."quiet" type="button" data-copy="source" hidden { "Copy" }
            }
            pre { code #source { (outcome.text.trim_end()) } }
        }
        section.card aria-label="Where it comes from" {
            h2 { "Where it comes from" }
            p.soft { "Marked words became elements of the diagram. Point at one to see which." }
            div.requirements { (marked(message, &outcome.trace)) }
        }
    }
}

/// The requirements with the source words marked. Overlapping marks are cut where any of them begins or ends.
fn marked(message: &str, trace: &[TraceEntry]) -> Markup {
    let mut cuts: Vec<usize> =
        trace.iter().flat_map(|entry| [entry.start, entry.end]).chain([0, message.len()]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    html! {
        @for pair in cuts.windows(2) {
            @let text = message.get(pair[0]..pair[1]).unwrap_or_default();
            @let elements = elements_at(trace, pair[0], pair[1]);
            @if elements.is_empty() { (text) } @else {
                mark data-elements=(json!(elements)) title=(elements.join(", ")) { (text) }
            }
        }
    }
}

fn elements_at(trace: &[TraceEntry], start: usize, end: usize) -> Vec<&str> {
    let covers = |entry: &&TraceEntry| entry.start <= start && end <= entry.end;
    trace.iter().filter(covers).map(|entry| entry.element.as_str()).collect()
}

async fn page(
    state: &AppState,
    caller: &Caller,
    shown: &Shown<'_>,
    result: Markup,
    error: Option<&Error>,
) -> Response {
    let writer = match state.app.config.default_provider() {
        Some(provider) => format!("Diagrams are written by {}.", provider.row().label),
        None => "No model is configured: the built-in drafter writes diagrams on this machine.".to_owned(),
    };
    let projects = match projects::list_writable(&state.app, caller).await {
        Ok(projects) => projects,
        Err(error) => return error_page(Some(caller), &error),
    };
    let has_result = !result.0.is_empty();
    let body = html! {
        main.with-result[has_result] {
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
                @if projects.len() > 1 {
                    label for="project" { "Project" }
                    select #project name="project" {
                        @for project in &projects {
                            option value=(project.id) selected[project.id.as_str() == shown.project] { (project.name) }
                        }
                    }
                }
                button type="submit" { "Draw" }
                p.soft { (writer) }
            }
            @if has_result { div.stack { (result) } }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), "", body).with_error(explained.as_ref()).show()
}
