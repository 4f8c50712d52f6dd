//! Serving below a path, such as `PUBLIC_URL=https://example.com/ba`.
//!
//! Everything else knows the server's own paths only. Here the base path is taken off requests, and put in front of
//! the addresses in responses: `Location`, and links, forms and files of pages. So proxies may strip it or keep it.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts, uri::PathAndQuery},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::ProblemResponse;
use application::Error;
use config::{Config, as_base_path};

/// The path below which the caller of a request sees this server, such as `/ba`; empty at the root of a host.
#[derive(Debug, Clone, Default)]
pub struct BasePath(Arc<str>);

impl BasePath {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of_request(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BasePath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Where requests enter.
#[derive(Clone)]
pub(crate) struct Entrance {
    /// From `server.public_url`.
    base: BasePath,
    /// Whether a proxy may name the path that it has stripped. Without proxies every caller could.
    trusts_header: bool,
    aliases: Aliases,
}

/// The route of another name that a path has below a base path.
pub(crate) type Aliases = fn(path: &str, base: &str) -> Option<&'static str>;

impl Entrance {
    pub(crate) fn new(config: &Config, aliases: Aliases) -> Self {
        let base = BasePath(config.base_path().into());
        let trusts_header = config.server.proxies > 0 && base.as_str().is_empty();
        Entrance { base, trusts_header, aliases }
    }
}

/// Takes the base path off. It runs before a route is chosen.
pub(crate) async fn enter(State(entrance): State<Entrance>, mut request: Request, next: Next) -> Response {
    let base = match entrance.trusts_header {
        true => forwarded_prefix(request.headers()),
        false => entrance.base.clone(),
    };
    let path = request.uri().path();
    let own_base = entrance.base.as_str();
    let alias = (entrance.aliases)(path, own_base);
    if let Some(own) = alias.or_else(|| without_base(path, own_base))
        && let Some(uri) = with_path(request.uri(), own)
    {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(base);
    next.run(request).await
}

fn forwarded_prefix(headers: &HeaderMap) -> BasePath {
    let prefix = headers.get("x-forwarded-prefix").and_then(|prefix| prefix.to_str().ok());
    BasePath(prefix.and_then(as_base_path).unwrap_or_default().into())
}

/// The part of the path below the base path; `None` if it is not below it.
pub(crate) fn without_base<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    match path.strip_prefix(base).filter(|_| !base.is_empty())? {
        "" => Some("/"),
        inside => inside.starts_with('/').then_some(inside),
    }
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.ok()?);
    Uri::from_parts(parts).ok()
}

/// Puts the base path in front of the server's own addresses in a response.
pub(crate) async fn leave(request: Request, next: Next) -> Response {
    let base = BasePath::of_request(&request);
    let mut response = next.run(request).await;
    let base = base.as_str();
    if base.is_empty() {
        return response;
    }
    let headers = response.headers_mut();
    if let Some(location) = headers.get(header::LOCATION).and_then(|location| location.to_str().ok())
        && is_own(location)
        && let Ok(location) = HeaderValue::from_str(&format!("{base}{location}"))
    {
        headers.insert(header::LOCATION, location);
    }
    let is_page =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page {
        return response;
    }
    headers.remove(header::CONTENT_LENGTH);
    let (parts, body) = response.into_parts();
    // Pages are rendered as a whole, so that their bodies are in memory already.
    match to_bytes(body, usize::MAX).await {
        Ok(page) => Response::from_parts(parts, Body::from(with_base(&String::from_utf8_lossy(&page), base))),
        Err(_) => ProblemResponse::from(Error::Internal("a page broke off".to_owned())).into_response(),
    }
}

/// A path of this server, and not `//host`.
fn is_own(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//")
}

/// A page with the base path in front of its own addresses. Text between tags stays as it is, also in pictures.
fn with_base(page: &str, base: &str) -> String {
    let mut out = String::with_capacity(page.len() + 64 * base.len());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        out.push_str(text);
        rest = tag_with_base(tag, base, &mut out);
    }
    out.push_str(rest);
    out
}

/// Copies one tag, and returns what follows. Values of attributes are in double quotes, in pages and in pictures.
fn tag_with_base<'a>(tag: &'a str, base: &str, out: &mut String) -> &'a str {
    let mut rest = tag;
    while let Some(at) = rest.find(['"', '>']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let Some(value) = after.strip_prefix('"') else {
            out.push('>');
            return &after[1..];
        };
        out.push('"');
        if is_own(value) && [" href=", " action=", " src="].iter().any(|name| before.ends_with(name)) {
            out.push_str(base);
        }
        let end = value.find('"').map_or(value.len(), |end| end + 1);
        out.push_str(&value[..end]);
        rest = &value[end..];
    }
    out.push_str(rest);
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_is_taken_off() {
        for (path, base, own) in [
            ("/ba", "/ba", Some("/")),
            ("/ba/", "/ba", Some("/")),
            ("/ba/projects/1", "/ba", Some("/projects/1")),
            // Stripped by the proxy.
            ("/projects/1", "/ba", None),
            ("/", "/ba", None),
            // Another path that begins with the same letters.
            ("/bar", "/ba", None),
            ("/tools/ba/x", "/tools/ba", Some("/x")),
            ("/tools/bax", "/tools/ba", None),
            ("/projects/", "", None),
        ] {
            assert_eq!(without_base(path, base), own, "{path} below {base}");
        }
        for (uri, path, whole) in [
            ("/ba/x?a=%2Fb", "/x", "/x?a=%2Fb"),
            ("http://example.com/ba/x?", "/x", "http://example.com/x?"),
            ("/ba", "/", "/"),
        ] {
            assert_eq!(with_path(&uri.parse().unwrap(), path).unwrap().to_string(), whole);
        }
    }

    #[test]
    fn only_own_addresses_in_tags_get_the_base_path() {
        for (page, expected) in [
            (r#"<a href="/">x</a>"#, r#"<a href="/ba/">x</a>"#),
            (r#"<a class="b" href="/?q=1">"#, r#"<a class="b" href="/ba/?q=1">"#),
            (
                r#"<form method="post" action="/x"><input value="/x">"#,
                r#"<form method="post" action="/ba/x"><input value="/x">"#,
            ),
            (
                r#"<script type="module" src="/assets/page.js"></script>"#,
                r#"<script type="module" src="/ba/assets/page.js"></script>"#,
            ),
            (
                r#"<a href="https://e.example/"><a href="//e.example/"><a href="data:,">"#,
                r#"<a href="https://e.example/"><a href="//e.example/"><a href="data:,">"#,
            ),
            (
                r##"<use href="#a"/><text>see href="/x" > 1</text>"##,
                r##"<use href="#a"/><text>see href="/x" > 1</text>"##,
            ),
            (r#"<a title="a > b" href="/x">"#, r#"<a title="a > b" href="/ba/x">"#),
            (r#"<a data-href="/x" href=""></a>"#, r#"<a data-href="/x" href=""></a>"#),
            (r#"a < b "c" <b title="x"#, r#"a < b "c" <b title="x"#),
            ("no tag", "no tag"),
            ("", ""),
        ] {
            assert_eq!(with_base(page, "/ba"), expected);
        }
    }
}
