//! `/mcp`: the MCP server over Streamable HTTP, with its authentication and rate limit.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
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

use crate::{
    http::{
        error::ProblemResponse,
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

/// Web pages of this machine may call a server of this machine.
const OWN_ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

/// The authentication and the rate limit of `/mcp`.
struct Guard {
    /// Hashes, so that the time of a comparison does not reveal the beginning of a valid token. Empty: no token is
    /// needed.
    tokens: Vec<String>,
    limiter: Arc<Limiter>,
    public_url: String,
}

/// Every call is independent and answered with JSON, so that any process can serve it.
pub fn config(state: &AppState) -> StreamableHttpServerConfig {
    let settings = &state.app.config;
    let origins = OWN_ORIGINS.into_iter().chain(comma_separated(&settings.mcp.allowed_origins));
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(settings.server.max_body_bytes)
        // `middleware::check_host` has checked the host of every request.
        .disable_allowed_hosts()
        .with_allowed_origins(origins)
        .enforce_origin_validation()
}

/// The routes of an MCP server.
pub fn routes<H>(state: &AppState, handler: H, config: StreamableHttpServerConfig) -> Router<AppState>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let settings = &state.app.config.mcp;
    let guard = Arc::new(Guard {
        tokens: settings.tokens().into_iter().map(secrets::hash).collect(),
        limiter: Arc::clone(&state.limiter),
        public_url: settings.public_url.clone(),
    });
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let mut routes = Router::new()
        .route_service(PATH, service)
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
        routes = routes.route(path, get(find));
    }
    routes
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
        if !self.public_url.is_empty() {
            return self.public_url.trim_end_matches('/').to_owned();
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
