//! `/mcp`: the MCP server over Streamable HTTP, with its authentication and rate limit.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use rmcp::{
    ServerHandler,
    model::Extensions,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;

use super::{
    origins::{Origins, check_origin},
    unreadable,
};
use crate::{
    http::{
        base_path::without_base,
        error::{ProblemResponse, no_such_method},
        identify::{MaybeCaller, bearer},
    },
    state::AppState,
};
use application::{
    access::{Caller, Scope},
    rate_limits::{Limiter, RateLimitKey},
    secrets,
};
use config::comma_separated;
use telemetry::trace::TraceContext;

pub(crate) const PATH: &str = "/mcp";
/// Where RFC 9728 has clients look for the metadata: of this server, and of `/mcp`.
pub(crate) const METADATA_PATHS: [&str; 2] =
    ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];

/// Answers are JSON, which nearly every client takes; rmcp asks each to list both media types of the transport.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The authentication and the rate limit of `/mcp`.
struct Guard {
    /// Hashes, so that the time of a comparison does not reveal the beginning of a valid token. Empty: no token is
    /// needed.
    tokens: Vec<String>,
    limiter: Arc<Limiter>,
    /// The URL of `/mcp` from the settings; empty if they have none.
    resource: String,
}

/// Every call is independent and answered with JSON, so that any process can serve it.
pub fn config(state: &AppState) -> StreamableHttpServerConfig {
    let settings = &state.app.config;
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(settings.server.max_body_bytes)
        // `middleware::check_host` has checked the host of every request.
        .disable_allowed_hosts()
        // `check_origin` has checked the origin.
        .disable_allowed_origins()
}

/// The routes of an MCP server.
pub fn routes<H>(state: &AppState, handler: H, config: StreamableHttpServerConfig) -> Router<AppState>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let settings = &state.app.config.mcp;
    let resource = match (settings.public_url.as_str(), state.app.config.server.public_url.as_str()) {
        ("", "") => String::new(),
        ("", _) => format!("{}{PATH}", state.app.config.public_url()),
        (resource, _) => resource.trim_end_matches('/').to_owned(),
    };
    let guard = Arc::new(Guard {
        tokens: settings.tokens().into_iter().map(secrets::hash).collect(),
        limiter: Arc::clone(&state.limiter),
        resource,
    });
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let mut routes = Router::new()
        .route_service(PATH, service)
        .layer(from_fn_with_state(state.app.config.server.max_body_bytes, read_message))
        .layer(from_fn_with_state(Arc::clone(&guard), check_caller));
    for path in METADATA_PATHS {
        let guard = Arc::clone(&guard);
        let servers: Vec<String> =
            comma_separated(&settings.authorization_servers).map(str::to_owned).collect();
        let find = move |MaybeCaller(visitor): MaybeCaller, headers: HeaderMap| async move {
            // Without authentication there is no metadata about it.
            if guard.tokens.is_empty() && visitor.is_some_and(|caller| caller.is_local()) {
                return ProblemResponse::no_such_route().into_response();
            }
            Json(metadata(&guard.resource(&headers), &servers)).into_response()
        };
        // Named, so that the layer below answers preflight requests here too.
        routes = routes.route(path, get(find).options(no_such_method));
    }
    routes.layer(from_fn_with_state(Origins::new(&settings.allowed_origins, PATH), check_origin))
}

/// Other addresses of these routes: `/mcp/`, and where RFC 9728 has clients look for the metadata of `/mcp` below a
/// base path, if the proxy sends that here.
pub(crate) fn alias(path: &str, base: &str) -> Option<&'static str> {
    let inside = without_base(path, base).unwrap_or(path);
    if inside.strip_suffix('/') == Some(PATH) {
        return Some(PATH);
    }
    let resource = path.strip_prefix(METADATA_PATHS[0]).and_then(|rest| without_base(rest, base));
    (resource == Some(PATH)).then_some(METADATA_PATHS[1])
}

/// The caller and the trace context of a call over HTTP.
pub fn caller_of(extensions: &Extensions) -> (Caller, Option<TraceContext>) {
    let parts = extensions.get::<Parts>();
    let caller = match parts.and_then(|parts| parts.extensions.get::<MaybeCaller>()) {
        Some(MaybeCaller(Some(caller))) => caller.clone(),
        // `check_caller` has refused requests without a caller; this one sees no stored data.
        _ => Caller::service(),
    };
    (caller, parts.and_then(|parts| parts.extensions.get::<TraceContext>()).copied())
}

/// RFC 9728: where a client gets a token.
fn metadata(resource: &str, servers: &[String]) -> serde_json::Value {
    let mut metadata = json!({
        "resource": resource,
        "resource_name": "BA Copilot",
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp"],
    });
    if !servers.is_empty() {
        metadata["authorization_servers"] = json!(servers);
    }
    metadata
}

impl Guard {
    /// The URL of `/mcp`, as the caller knows it.
    fn resource(&self, headers: &HeaderMap) -> String {
        if !self.resource.is_empty() {
            return self.resource.clone();
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        format!("http://{host}/mcp")
    }

    fn refuse(&self, headers: &HeaderMap, why: &str, error: &str) -> Response {
        let resource = self.resource(headers);
        let base = resource.strip_suffix("/mcp").unwrap_or(&resource);
        let challenge = format!(
            "Bearer realm=\"BA Copilot\", resource_metadata=\"{base}{}\", scope=\"mcp\"{error}",
            METADATA_PATHS[1]
        );
        let mut response = ProblemResponse::new(StatusCode::UNAUTHORIZED, "no_token", why).into_response();
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

async fn check_caller(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<MaybeCaller>().cloned().unwrap_or(MaybeCaller(None));
    match &visitor.0 {
        // A user, through a token of theirs.
        Some(caller) if !caller.is_local() => {
            if let Err(error) = caller.require_scope(Scope::Mcp) {
                return ProblemResponse::from(error).into_response();
            }
            request.headers_mut().remove(header::AUTHORIZATION);
            return next.run(request).await;
        }
        Some(_) if guard.tokens.is_empty() => return next.run(request).await,
        _ => (),
    }
    let headers = request.headers();
    let Some(token) = bearer(headers).map(secrets::hash) else {
        return guard.refuse(
            headers,
            "This request has no token. Send `Authorization: Bearer …`; the administrator of this server issues \
             tokens.",
            "",
        );
    };
    if !guard.tokens.contains(&token) {
        let why = "This token is not valid on this server. Ask its administrator for a new one.";
        return guard.refuse(headers, why, ", error=\"invalid_token\"");
    }
    if let Some(wait) = guard.limiter.count(&[RateLimitKey::McpToken(&token)]).await {
        let why = format!("The rate limit of this token is reached. Retry in {wait} s.");
        return ProblemResponse::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", why)
            .after(wait)
            .into_response();
    }
    // The layers and handlers behind this do not need it.
    request.headers_mut().remove(header::AUTHORIZATION);
    // Another process of this installation: it may check, and sees no stored data on a server with accounts.
    if visitor.0.is_none() {
        request.extensions_mut().insert(MaybeCaller(Some(Caller::service())));
    }
    next.run(request).await
}

/// Lets every client call that takes JSON, and answers a body that is not a message.
async fn read_message(State(max_bytes): State<usize>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    if !takes_json(request.headers()) {
        let why = "The answer is JSON, which this request does not accept. Send `Accept: application/json, \
            text/event-stream`.";
        return ProblemResponse::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", why).into_response();
    }
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(header::ACCEPT, ACCEPTED);
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(is_json);
    let Ok(body) = to_bytes(body, max_bytes).await else {
        return ProblemResponse::body_too_large().into_response();
    };
    let response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    // With a body of the right type, this status means that rmcp could not read it.
    match response.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE if is_json => unreadable::respond(&body),
        _ => response,
    }
}

/// Without `Accept`, everything is accepted.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .flat_map(|accept| accept.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .filter(|range| !range.is_empty())
        .peekable();
    ranges.peek().is_none()
        || ranges.any(|range| matches!(range.as_str(), "*/*" | "application/*" | "application/json"))
}

fn is_json(kind: &HeaderValue) -> bool {
    let essence = kind.to_str().ok().and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_by_their_other_names() {
        for (path, base, route) in [
            ("/mcp/", "", Some(PATH)),
            ("/mcp", "", None),
            ("/mcp//", "", None),
            ("/ba/mcp/", "/ba", Some(PATH)),
            ("/mcp/", "/ba", Some(PATH)),
            ("/.well-known/oauth-protected-resource/ba/mcp", "/ba", Some(METADATA_PATHS[1])),
            ("/.well-known/oauth-protected-resource/mcp", "/ba", None),
            ("/.well-known/oauth-protected-resource/other/mcp", "/ba", None),
            ("/.well-known/oauth-protected-resource", "", None),
        ] {
            assert_eq!(alias(path, base), route, "{path} below {base}");
        }
    }

    #[test]
    fn clients_that_take_json_are_answered() {
        for (accept, taken) in [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("text/event-stream, application/json;q=0.9"), true),
            (Some("application/*"), true),
            (Some("text/event-stream"), false),
            (Some("text/html"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(takes_json(&headers), taken, "{accept:?}");
        }
    }
}
