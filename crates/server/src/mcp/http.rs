//! `/mcp`: the MCP server over Streamable HTTP, who may call it, and how often.

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
    Problem, Shared,
    http::{
        error::Pending,
        identify::{Visitor, bearer},
    },
};
use application::{
    access::{Caller, Scope},
    rate_limits::{Limiter, RateLimitKey},
    secrets,
};
use config::comma_separated;
use telemetry::trace::TraceContext;

/// Web pages of this machine may call a server of this machine.
const OWN_ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

/// Who may call, and how often.
struct Guard {
    /// Hashes, so that comparing takes no longer for a token that begins like a good one. Empty: everyone.
    tokens: Vec<String>,
    limiter: Arc<Limiter>,
    public_url: String,
}

/// How `/mcp` is served: every call stands alone, and its answer is JSON, so that any process can take it.
pub fn config(shared: &Shared) -> StreamableHttpServerConfig {
    let settings = &shared.app.config;
    let origins = OWN_ORIGINS.into_iter().chain(comma_separated(&settings.mcp.allowed_origins));
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(settings.server.max_body_bytes)
        // `middleware::check_host` has looked at the host of every request already.
        .disable_allowed_hosts()
        .with_allowed_origins(origins)
        .enforce_origin_validation()
}

/// The routes of an MCP server.
pub fn routes<H>(shared: &Shared, handler: H, config: StreamableHttpServerConfig) -> Router<Shared>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let settings = &shared.app.config.mcp;
    let guard = Arc::new(Guard {
        tokens: settings.tokens().into_iter().map(secrets::hash).collect(),
        limiter: Arc::clone(&shared.limiter),
        public_url: settings.public_url.clone(),
    });
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let mut routes = Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(Arc::clone(&guard), check_caller));
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let guard = Arc::clone(&guard);
        let servers: Vec<String> =
            comma_separated(&settings.authorization_servers).map(str::to_owned).collect();
        let find = move |Visitor(visitor): Visitor, headers: HeaderMap| async move {
            // Where nobody needs a token, nothing says how to get one.
            if guard.tokens.is_empty() && visitor.is_some_and(|caller| caller.is_local()) {
                return Problem::no_such_route();
            }
            Json(metadata(&guard.resource(&headers), &servers)).into_response()
        };
        routes = routes.route(path, get(find));
    }
    routes
}

/// Who asks an MCP server over HTTP, and in which request.
pub fn caller_of(extensions: &Extensions) -> (Caller, Option<TraceContext>) {
    let parts = extensions.get::<Parts>();
    let caller = match parts.and_then(|parts| parts.extensions.get::<Visitor>()) {
        Some(Visitor(Some(caller))) => caller.clone(),
        // Nobody comes this far without saying who they are; if somebody did, they would see nothing.
        _ => Caller::service(),
    };
    (caller, parts.and_then(|parts| parts.extensions.get::<TraceContext>()).copied())
}

/// RFC 9728: what a client needs to know to get a token.
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
    /// The address under which the caller knows `/mcp`.
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
            "Bearer realm=\"BA Copilot\", resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\", scope=\"mcp\"{error}"
        );
        let mut response = Pending::new(StatusCode::UNAUTHORIZED, "no_token", why).into_response();
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

async fn check_caller(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Visitor>().cloned().unwrap_or(Visitor(None));
    match &visitor.0 {
        // Somebody with an account, through a token of theirs.
        Some(caller) if !caller.is_local() => {
            if let Err(error) = caller.require_scope(Scope::Mcp) {
                return Pending::from(error).into_response();
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
            "Send a token: `Authorization: Bearer …`. Whoever runs this server hands them out.",
            "",
        );
    };
    if !guard.tokens.contains(&token) {
        let why = "This token is not known here. Ask whoever runs this server for a new one.";
        return guard.refuse(headers, why, ", error=\"invalid_token\"");
    }
    if let Some(wait) = guard.limiter.count(&[RateLimitKey::McpToken(&token)]).await {
        let why = format!("This token has made all the calls that it may make for now. Wait {wait} s.");
        return Pending::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", why)
            .after(wait)
            .into_response();
    }
    // Nothing behind this needs it.
    request.headers_mut().remove(header::AUTHORIZATION);
    // Another process of this installation: it may check, and sees nothing that is kept where there are accounts.
    if visitor.0.is_none() {
        request.extensions_mut().insert(Visitor(Some(Caller::service())));
    }
    next.run(request).await
}
