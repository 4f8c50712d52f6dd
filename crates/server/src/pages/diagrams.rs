//! `/diagrams/{diagram}`: a diagram, its versions, and the form of the next version.

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use maud::{PreEscaped, html};
use serde::Deserialize;

use super::layout::{Form, Page, done_text, error_page, explain, field, redirect_done, when};
use crate::state::AppState;
use application::{
    Error,
    access::Caller,
    diagrams::{self, DiagramChanges, DiagramInput},
    page::Listing,
    picture::{self, Form as PictureForm},
};

#[derive(Default, Deserialize)]
pub struct DiagramQuery {
    version: Option<u32>,
    done: Option<String>,
    after: Option<String>,
}

/// The fields of all forms of the page. Fields that a form does not have are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct DiagramForm {
    action: String,
    code: String,
    note: String,
    title: String,
    revision: String,
}

const DONE: [(&str, &str); 4] = [
    ("saved", "Saved as a new version."),
    ("renamed", "The title is changed."),
    ("archived", "The diagram is archived."),
    ("restored", "The diagram is in use again."),
];

/// `GET /diagrams/{diagram}`
pub async fn show_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(query): Query<DiagramQuery>,
) -> Response {
    page(&state, &caller, &diagram, &query, None, None).await
}

/// `POST /diagrams/{diagram}`
pub async fn submit_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Form(form): Form<DiagramForm>,
) -> Response {
    match carry_out(&state, &caller, &diagram, &form).await {
        Ok(what) => redirect_done(&format!("/diagrams/{diagram}"), what),
        // The text is shown again, so that it is not lost.
        Err(error) => {
            page(&state, &caller, &diagram, &DiagramQuery::default(), Some(&form), Some(&error)).await
        }
    }
}

async fn carry_out(
    state: &AppState,
    caller: &Caller,
    id: &str,
    form: &DiagramForm,
) -> Result<&'static str, Error> {
    let app = &state.app;
    let seen = form.revision.parse().map(Some);
    let seen =
        seen.map_err(|_| Error::invalid("revision", "The form could not be read. Open the page again."))?;
    let change = |changes: DiagramChanges| async move {
        diagrams::update_diagram(app, caller, id, seen, &changes).await
    };
    match form.action.as_str() {
        "save" => {
            // Browsers send CRLF.
            let code = form.code.replace("\r\n", "\n");
            let written = DiagramInput { code, requirement: None, note: Some(form.note.clone()) };
            diagrams::create_version(app, caller, id, seen, written).await.map(|_| "saved")
        }
        "rename" => change(DiagramChanges { title: Some(form.title.clone()), ..DiagramChanges::default() })
            .await
            .map(|_| "renamed"),
        "archive" => change(DiagramChanges { archived: Some(true), ..DiagramChanges::default() })
            .await
            .map(|_| "archived"),
        "restore" => change(DiagramChanges { archived: Some(false), ..DiagramChanges::default() })
            .await
            .map(|_| "restored"),
        _ => Err(Error::invalid("action", "This page has no such button. Open it again.")),
    }
}

async fn page(
    state: &AppState,
    caller: &Caller,
    id: &str,
    query: &DiagramQuery,
    form: Option<&DiagramForm>,
    error: Option<&Error>,
) -> Response {
    let app = &state.app;
    let listing = Listing { after: query.after.clone(), limit: None };
    let loaded = async {
        let (diagram, newest) = diagrams::find_diagram(app, caller, id).await?;
        let shown = match query.version {
            Some(number) if number != newest.number => {
                diagrams::find_version(app, caller, id, number).await?
            }
            _ => newest.clone(),
        };
        let versions = diagrams::list_versions(app, caller, id, &listing).await?;
        Ok::<_, Error>((diagram, newest, shown, versions))
    };
    let (diagram, newest, shown, versions) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return error_page(Some(caller), &error),
    };
    let request =
        picture::Request { code: shown.mermaid.clone(), theme: "light".to_owned(), elements: Vec::new() };
    let drawn = picture::draw(app, request, vec![PictureForm::SvgForPage]).await;
    let here = format!("/diagrams/{}", diagram.id);
    let code = form.map_or(newest.mermaid.as_str(), |form| form.code.as_str());
    let note = form.map_or("", |form| form.note.as_str());
    let body = html! {
        main.with-result {
            div.stack {
                @if let Some(text) = done_text(query.done.as_deref(), &DONE) { p."note"."good" { (text) } }
                section.card {
                    p.soft { a href={ "/projects/" (diagram.project_id) } { "To the project" } }
                    h2 { "Next version" }
                    form method="post" action=(here) {
                        input type="hidden" name="action" value="save";
                        input type="hidden" name="revision" value=(diagram.revision);
                        label for="code" { "Mermaid source" }
                        textarea.code #code name="code" required spellcheck="false" { (code) }
                        label for="note" { "What is new" }
                        input #note name="note" type="text" maxlength="2000" value=(note);
                        button type="submit" { "Save" }
                    }
                }
                section.card {
                    h2 { "Versions" }
                    table {
                        thead { tr { th { "No." } th { "Created" } th { "What is new" } th {} } }
                        tbody {
                            @for version in &versions.items {
                                tr {
                                    td { a href={ (here) "?version=" (version.number) } { (version.number) } }
                                    td { (when(version.created_at)) }
                                    td { (version.note.as_deref().unwrap_or_default()) }
                                    td { @if version.validated { "valid" } @else { "not valid" } }
                                }
                            }
                        }
                    }
                    @if let Some(next) = &versions.next { p { a href={ (here) "?after=" (next) } { "More" } } }
                }
                section.card {
                    h2 { "The diagram itself" }
                    form method="post" action=(here) {
                        input type="hidden" name="action" value="rename";
                        input type="hidden" name="revision" value=(diagram.revision);
                        (field("title", "Title", "text", &diagram.title, "off"))
                        button."quiet" type="submit" { "Change" }
                    }
                    form method="post" action=(here) {
                        input type="hidden" name="revision" value=(diagram.revision);
                        @let (action, label) =
                            if diagram.archived_at.is_some() { ("restore", "Restore") } else { ("archive", "Archive") };
                        input type="hidden" name="action" value=(action);
                        button."quiet" type="submit" { (label) }
                    }
                }
            }
            div.stack {
                section.card aria-label="Diagram" {
                    h2 { (diagram.title) }
                    @if shown.validated { p."note"."good" { "Version " (shown.number) ". Mermaid accepts it." } }
                    @else { p."note"."warning" { "Version " (shown.number) ". Mermaid does not accept it." } }
                    @match &drawn {
                        // Cleaned by mermend: no script, no event attribute, no outside reference.
                        Ok(drawn) => {
                            @for svg in drawn {
                                div.picture { (PreEscaped(String::from_utf8_lossy(&svg.bytes))) }
                            }
                        }
                        Err(error) => { p."note"."warning" { (error.to_string()) } }
                    }
                }
                section.card {
                    div.bar {
                        h2 { "Mermaid source" }
                        button."quiet" type="button" data-copy="source" hidden { "Copy" }
                    }
                    pre { code #source { (shown.mermaid.trim_end()) } }
                }
                @if !shown.requirement.is_empty() {
                    section.card { h2 { "Requirements" } div.requirements { (shown.requirement) } }
                }
            }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), &diagram.title, body).with_error(explained.as_ref()).show()
}
