//! What every page has around it, and how pages say that something did not work.

use axum::{
    extract::{FromRequest, Request, rejection::FormRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};
use serde::de::DeserializeOwned;

use super::local_path::local_path;
use crate::http::error::status_of;
use application::{
    Error, TimeUs,
    access::Caller,
    clock::{format_minute, rfc3339},
};

/// A page that is to be shown.
pub(super) struct Page<'a> {
    /// Who looks at it.
    pub(super) visitor: Option<&'a Caller>,
    /// What stands in the title of the window and above the page.
    pub(super) title: &'a str,
    /// Its status.
    pub(super) status: StatusCode,
    /// What went wrong with what was sent, if something did.
    pub(super) problem: Option<&'a str>,
    /// The page itself.
    pub(super) body: Markup,
}

impl<'a> Page<'a> {
    pub(super) fn new(visitor: Option<&'a Caller>, title: &'a str, body: Markup) -> Self {
        Page { visitor, title, status: StatusCode::OK, problem: None, body }
    }

    /// The same page after something went wrong.
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
                                    form method="post" action="/sign-out" { button."quiet" type="submit" { "Sign out" } }
                                } @else { a href="/set-up" { "Set up accounts" } }
                            }
                        }
                    }
                    @if let Some(problem) = self.problem {
                        main { p."note"."problem" role="alert" { (problem) } }
                    }
                    (self.body)
                    footer { a href="/docs" { "API" } " · " a href="/health" { "Health" } " · version " (env!("CARGO_PKG_VERSION")) }
                }
            }
        };
        let mut response = (self.status, page).into_response();
        let headers = response.headers_mut();
        // Styles inside pictures are the only inline ones; scripts come from here alone.
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
        );
        // What one person saw must not be shown to the next one by the back button.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// How a page says that something did not work.
pub(super) fn explain(error: &Error) -> (StatusCode, String) {
    let text = match error {
        Error::Internal(why) => {
            tracing::error!(error.code = error.code(), "A page failed inside: {why}");
            "Something went wrong here. Try again; if it stays so, tell whoever runs this server.".to_owned()
        }
        other => other.to_string(),
    };
    (status_of(error), text)
}

/// A page that says nothing but what went wrong.
pub(super) fn error_page(visitor: Option<&Caller>, error: &Error) -> Response {
    let explained = explain(error);
    let title = if matches!(error, Error::NotFound(_)) { "Not found" } else { "This did not work" };
    Page::new(visitor, title, html! { main { p { a href="/projects" { "To your projects" } } } })
        .with_error(Some(&explained))
        .show()
}

/// Sends the browser to a path of this server; to the front page if it is none.
pub(super) fn go(to: &str) -> Response {
    Redirect::to(local_path(to)).into_response()
}

/// Sends the browser to an address of another server, which no caller has chosen: that of the identity provider.
pub(super) fn leave_for(url: &str) -> Response {
    Redirect::to(url).into_response()
}

/// The page `to` again, which then says what was done: `what` is a word of its list for [`said`].
pub(super) fn done(to: &str, what: &str) -> Response {
    go(&format!("{to}?done={what}"))
}

/// What a page says that was done, from a list: a link must not put words into our mouth.
pub(super) fn said<'a>(done: Option<&str>, known: &'a [(&str, &str)]) -> Option<&'a str> {
    known.iter().find(|(word, _)| Some(*word) == done).map(|(_, text)| *text)
}

/// A form, with an error page for what is none.
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

/// A moment, for people; programs find the whole of it.
pub(super) fn when(at: TimeUs) -> Markup {
    html! { time datetime=(rfc3339(at)) title=(format!("{} UTC", format_minute(at))) { (format_minute(at)) } }
}

/// A field of a form with its label.
pub(super) fn field(name: &str, label: &str, kind: &str, value: &str, autocomplete: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input #(name) name=(name) type=(kind) value=(value) autocomplete=(autocomplete) required;
    }
}
