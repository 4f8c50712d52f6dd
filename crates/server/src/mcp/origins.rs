//! Web pages that may call `/mcp` from a browser: their origins, and the headers by which browsers let them (CORS).
//!
//! Cookies are not among what a page may send: it calls with a token.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::http::{error::ProblemResponse, host::Host};
use config::comma_separated;

/// What pages may read beside the body.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("mcp-session-id, retry-after, www-authenticate, x-request-id");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// Two hours, the longest that browsers keep it.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("7200");

/// The origins of the setting `mcp.allowed_origins`, and those of this machine.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    listed: Vec<Origin>,
    /// The path that is closed to pages of other origins. The others are public.
    closed: &'static str,
}

#[derive(Debug, Clone)]
struct Origin {
    scheme: String,
    host: Host,
    /// `None`: any.
    port: Option<u16>,
}

impl Origins {
    pub(super) fn new(setting: &str, closed: &'static str) -> Self {
        let listed = comma_separated(setting).filter_map(|entry| Origin::parse(entry, false)).collect();
        Origins { listed, closed }
    }

    fn allow(&self, origin: &str) -> bool {
        Origin::parse(origin, true).is_some_and(|origin| {
            let own = matches!(origin.scheme.as_str(), "http" | "https") && origin.host.is_loopback();
            let listed = |entry: &Origin| {
                entry.scheme == origin.scheme
                    && entry.host == origin.host
                    && (entry.port.is_none() || entry.port == origin.port)
            };
            own || self.listed.iter().any(listed)
        })
    }
}

impl Origin {
    /// Browsers leave out the default port of the scheme. An entry of the setting without a port, or with the port
    /// `*`, stands for all ports.
    fn parse(text: &str, of_browser: bool) -> Option<Self> {
        let uri: Uri = text.strip_suffix(":*").unwrap_or(text).parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let port = uri.port_u16().or(default.filter(|_| of_browser));
        Some(Origin { scheme, host: Host::parse(uri.host()?), port })
    }
}

/// Answers preflight requests of allowed origins, adds the headers for them, and refuses calls from other origins.
pub(super) async fn check_origin(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else { return next.run(request).await };
    if !origin.to_str().is_ok_and(|origin| origins.allow(origin)) {
        if request.uri().path() == origins.closed {
            let why = "Web pages of this origin may not call this server. Add the origin to the setting \
                mcp.allowed_origins (MCP_ALLOWED_ORIGINS).";
            return ProblemResponse::new(StatusCode::FORBIDDEN, "wrong_origin", why).into_response();
        }
        return next.run(request).await;
    }
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight {
        true => preflight(request.headers()),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    response
}

/// Every header that the page asks for: revisions and servers add their own.
fn preflight(asked: &HeaderMap) -> Response {
    const ASKED: HeaderName = header::ACCESS_CONTROL_REQUEST_HEADERS;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    headers.append(header::VARY, HeaderValue::from_name(ASKED));
    if let Some(names) = asked.get(ASKED) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_browsers_write_them() {
        let origins = Origins::new(
            "https://chat.example.com:443, http://any.example:*, https://portless.example, app://desk, nonsense, \
             https://[2001:db8::7]:8443",
            "/mcp",
        );
        for (origin, allowed) in [
            ("https://chat.example.com", true),
            ("https://Chat.Example.com:443", true),
            ("https://chat.example.com:444", false),
            ("http://chat.example.com", false),
            ("https://chat.example.com.evil.example", false),
            ("http://any.example:8080", true),
            ("http://any.example", true),
            ("https://any.example", false),
            ("https://portless.example", true),
            ("https://portless.example:8443", true),
            ("app://desk", true),
            ("https://[2001:DB8:0::7]:8443", true),
            ("http://localhost:5173", true),
            ("https://ba.localhost", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:3000", true),
            ("app://localhost", false),
            ("http://localhost.evil.example", false),
            ("null", false),
            ("nonsense", false),
            ("", false),
            ("https://evil.example", false),
        ] {
            assert_eq!(origins.allow(origin), allowed, "{origin}");
        }
    }
}
