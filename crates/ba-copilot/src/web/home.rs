//! The first page: paste requirements, choose a diagram, see the picture, the source and where each part comes from.

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use blueprint::{KINDS, Kind};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use crate::{
    engine::{TraceEntry, Written},
    http::Shared,
    service::{
        Error,
        generate::{self, Generated, Request},
        picture::{self, Form as PictureForm},
    },
};

/// What the form sends.
#[derive(Debug, Deserialize)]
pub struct Submitted {
    #[serde(default)]
    message: String,
    #[serde(default)]
    kind: String,
}

/// `GET /`: the page for people, a line of JSON for programs.
pub async fn show_home(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accepts = |kind: &str| {
        headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains(kind))
    };
    if !accepts("text/html") {
        return axum::Json(json!({"service": "BA Copilot AI Service", "version": env!("CARGO_PKG_VERSION"), "status": "running"})).into_response();
    }
    let row = &KINDS[0];
    page(&shared, StatusCode::OK, row.sample_text, row.kind, html! {})
}

/// `POST /`: writes the diagram and shows it.
pub async fn submit_home(
    State(shared): State<Shared>,
    headers: HeaderMap,
    form: Result<Form<Submitted>, axum::extract::rejection::FormRejection>,
) -> Response {
    let kind_of = |name: &str| Kind::parse(name).unwrap_or(KINDS[0].kind);
    // Another site may not make this server work through a visitor's browser.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return page(
            &shared,
            StatusCode::FORBIDDEN,
            "",
            KINDS[0].kind,
            problem(
                "This form was sent from another site, so it was not carried out. Open this page itself and send it from here.",
            ),
        );
    }
    let Ok(Form(submitted)) = form else {
        return page(
            &shared,
            StatusCode::UNPROCESSABLE_ENTITY,
            "",
            KINDS[0].kind,
            problem(
                "The form could not be read: it is too large, or not a form. Send one chapter at a time.",
            ),
        );
    };
    let kind = kind_of(&submitted.kind);
    let request = Request {
        kind,
        message: submitted.message.clone(),
        project_id: None,
        content_id: None,
        provider: None,
        model: None,
        key: None,
        fallback: true,
    };
    match generate::generate_diagram(&shared.app, request, None).await {
        Ok(generated) => {
            let result = show_result(&generated, &submitted.message).await;
            page(&shared, StatusCode::OK, &submitted.message, kind, result)
        }
        Err(error) => {
            let status = match error {
                Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let text = match &error {
                Error::Internal(why) => {
                    tracing::error!(error.code = error.code(), "A page failed inside: {why}");
                    "Something went wrong here. Your text is still below; try again.".to_owned()
                }
                other => other.to_string(),
            };
            page(&shared, status, &submitted.message, kind, problem(&text))
        }
    }
}

fn problem(text: &str) -> Markup {
    html! { section.card role="alert" { p."note"."problem" { (text) } } }
}

async fn show_result(generated: &Generated, message: &str) -> Markup {
    let outcome = &generated.outcome;
    let request = picture::Request {
        code: outcome.text.clone(),
        theme: "light".to_owned(),
        elements: outcome.elements.clone(),
    };
    let drawn =
        picture::draw(request, vec![PictureForm::SvgForPage, PictureForm::Svg, PictureForm::Png(2.0)]).await;
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
                        Written::Model => { "Written by " (generated.provider) ", " (generated.model) "." }
                        Written::Builtin | Written::Fallback => { "Drafted by the built-in drafter, without a model." }
                    }
                }
            } @else {
                p."note"."warning" { "Checked by the fast parser only: this program was built without Mermaid's own." }
            }
            div.bar {
                h2 { (generated.kind.row().name) }
                @if let Ok([_, svg, png]) = drawn.as_deref() {
                    a."button"."quiet" download=(file("svg")) href=(data("image/svg+xml", svg)) { "Download SVG" }
                    a."button"."quiet" download=(file("png")) href=(data("image/png", png)) { "Download PNG" }
                }
            }
            @match &drawn {
                // Cleaned by mermend: no script, no event attribute, no outside reference.
                Ok(drawn) => { @for svg in drawn.iter().take(1) { div.picture { (PreEscaped(String::from_utf8_lossy(svg))) } } }
                Err(error) => { p."note"."warning" { (error.to_string()) } }
            }
            p.soft { (generated.summary()) }
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
            p.soft { "Marked words became parts of the diagram. Point at one to see which." }
            div.requirements { (marked(message, &outcome.trace)) }
        }
    }
}

/// The requirements with the words of the trace marked. Where marks overlap, the text is cut where any of them begins
/// or ends.
fn marked(message: &str, trace: &[TraceEntry]) -> Markup {
    let mut cuts: Vec<usize> =
        trace.iter().flat_map(|entry| [entry.start, entry.end]).chain([0, message.len()]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    html! {
        @for pair in cuts.windows(2) {
            @let text = message.get(pair[0]..pair[1]).unwrap_or_default();
            @let elements: Vec<&str> = trace.iter().filter(|entry| entry.start <= pair[0] && pair[1] <= entry.end).map(|entry| entry.element.as_str()).collect();
            @if elements.is_empty() { (text) } @else { mark data-elements=(json!(elements)) title=(elements.join(", ")) { (text) } }
        }
    }
}

fn page(shared: &Shared, status: StatusCode, message: &str, kind: Kind, result: Markup) -> Response {
    let writer = match shared.app.config.default_provider() {
        Some(provider) => format!("Diagrams are written by {}.", provider.row().label),
        None => "No model is configured: the built-in drafter writes, on this machine.".to_owned(),
    };
    let has_result = !result.0.is_empty();
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "BA Copilot" }
                link rel="stylesheet" href="/assets/page.css";
                link rel="icon" href="data:,";
                script type="module" src="/assets/page.js" {}
            }
            body {
                header { h1 { "BA Copilot" } p { "Requirements in, diagrams that Mermaid accepts out." } }
                main.with-result[has_result] {
                    form.card method="post" action="/" {
                        label for="message" { "Requirements" }
                        textarea #message name="message" required maxlength=(generate::MAX_MESSAGE_CHARS) spellcheck="true" { (message) }
                        fieldset {
                            legend { "Diagram" }
                            @for row in KINDS {
                                label.choice {
                                    input type="radio" name="kind" value=(row.id) checked[row.kind == kind];
                                    span { (row.name) }
                                }
                            }
                        }
                        button type="submit" { "Draw" }
                        p.soft { (writer) }
                    }
                    @if has_result { div style="display:grid;gap:1.25rem" { (result) } }
                }
                footer { a href="/docs" { "API" } " · " a href="/health" { "Health" } " · version " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    let mut response = (status, body).into_response();
    // Styles inside pictures are the only inline ones; scripts come from here alone.
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    );
    response
}
