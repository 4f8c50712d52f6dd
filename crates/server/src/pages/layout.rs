//! The frame of every page, redirects, forms and error messages.

use axum::{
    extract::{FromRequest, Request, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};
use serde::de::DeserializeOwned;

use super::local_path::local_path;
use crate::http::{
    error::{no_such_route, status_of},
    identify::MaybeCaller,
};
use application::{
    Error, TimeUs,
    access::Caller,
    clock::{format_minute, rfc3339},
};

/// A page and what stands around it.
pub(super) struct Page<'a> {
    pub(super) visitor: Option<&'a Caller>,
    /// Title of the window and heading.
    pub(super) title: &'a str,
    pub(super) status: StatusCode,
    /// The error message above the page.
    pub(super) problem: Option<&'a str>,
    pub(super) body: Markup,
}

impl<'a> Page<'a> {
    pub(super) fn new(visitor: Option<&'a Caller>, title: &'a str, body: Markup) -> Self {
        Page { visitor, title, status: StatusCode::OK, problem: None, body }
    }

    pub(super) fn with_error(mut self, error: Option<&'a (StatusCode, String)>) -> Self {
        if let Some((status, text)) = error {
            self.status = *status;
            self.problem = Some(text);
        }
        self
    }

    pub(super) fn show(self) -> Response {
        let person = self.visitor.and_then(Caller::person);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { @if self.title.is_empty() { "BA Copilot" } @else { (self.title) " · BA Copilot" } }
                    link rel="stylesheet" href="/assets/page.css";
                    link rel="icon" href="data:,";
                    script type="module" src="/assets/page.js" {}
                }
                body {
                    header {
                        h1 { a href="/" { "BA Copilot" } }
                        p { "Requirements in, diagrams that Mermaid accepts out." }
                        @if self.visitor.is_some() {
                            nav {
                                a href="/projects" { "Projects" }
                                @if let Some(person) = person {
                                    a href="/account" { (person.name) }
                                    form method="post" action="/sign-out" {
                                        button."quiet" type="submit" { "Sign out" }
                                    }
                                } @else { a href="/set-up" { "Set up accounts" } }
                            }
                        }
                    }
                    @if let Some(problem) = self.problem {
                        main { p."note"."problem" role="alert" { (problem) } }
                    }
                    (self.body)
                    footer {
                        a href="/docs" { "API" } " · " a href="/health" { "Health" }
                        " · version " (env!("CARGO_PKG_VERSION"))
                    }
                }
            }
        };
        let mut response = (self.status, page).into_response();
        let headers = response.headers_mut();
        // Styles inside pictures are the only inline ones; scripts come from here alone.
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; \
                 img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        );
        // The back button must not show the page after its reader has signed out.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The status and the message of an error.
pub(super) fn explain(error: &Error) -> (StatusCode, String) {
    let text = match error {
        Error::Internal(why) => {
            tracing::error!(error.code = error.code(), "A page failed with an internal error: {why}");
            "The request failed because of an internal error. Try again; if the error remains, report it to your \
             administrator.".to_owned()
        }
        other => other.to_string(),
    };
    (status_of(error), text)
}

/// A page with nothing but an error message.
pub(super) fn error_page(visitor: Option<&Caller>, error: &Error) -> Response {
    let explained = explain(error);
    let title = if matches!(error, Error::NotFound(_)) { "Not found" } else { "The request failed" };
    Page::new(visitor, title, html! { main { p { a href="/projects" { "To your projects" } } } })
        .with_error(Some(&explained))
        .show()
}

/// No route has this path: a page for browsers, a problem for programs.
pub async fn no_such_page(MaybeCaller(visitor): MaybeCaller, headers: HeaderMap) -> Response {
    if !accepts_pages(&headers) {
        return no_such_route().await.into_response();
    }
    let text = "There is no page at this address. Check it, or start from your projects.".to_owned();
    let body = html! {
        main { p { a href="/" { "To the front page" } " · " a href="/projects" { "To your projects" } } }
    };
    Page::new(visitor.as_ref(), "Not found", body).with_error(Some(&(StatusCode::NOT_FOUND, text))).show()
}

/// Whether a browser asks.
pub(super) fn accepts_pages(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Redirects to a path of this server; any other text leads to the front page.
pub(super) fn redirect(to: &str) -> Response {
    Redirect::to(local_path(to)).into_response()
}

/// Redirects to another server: the identity provider of the configuration, never an address from a caller.
pub(super) fn redirect_external(url: &str) -> Response {
    Redirect::to(url).into_response()
}

/// Redirects to the page `to`, which then confirms what was done: `what` is a key of its list for [`done_text`].
pub(super) fn redirect_done(to: &str, what: &str) -> Response {
    redirect(&format!("{to}?done={what}"))
}

/// The confirmation on a page. It comes from a list, because anyone can write a link with another text.
pub(super) fn done_text<'a>(done: Option<&str>, known: &'a [(&str, &str)]) -> Option<&'a str> {
    known.iter().find(|(word, _)| Some(*word) == done).map(|(_, text)| *text)
}

/// A form. Its rejection is an error page.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Form(form)),
            Err(FormRejection::BytesRejection(_)) => Err(error_page(
                None,
                &Error::invalid("form", "The form is larger than this server reads. Send less at a time."),
            )),
            Err(_) => Err(error_page(
                None,
                &Error::invalid(
                    "form",
                    "The form could not be read. Open the page again and send it from there.",
                ),
            )),
        }
    }
}

/// A time to the minute, with the exact time in `datetime`.
pub(super) fn when(at: TimeUs) -> Markup {
    html! { time datetime=(rfc3339(at)) title=(format!("{} UTC", format_minute(at))) { (format_minute(at)) } }
}

/// An input with its label.
pub(super) fn field(name: &str, label: &str, kind: &str, value: &str, autocomplete: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input #(name) name=(name) type=(kind) value=(value) autocomplete=(autocomplete) required;
    }
}
