//! The HTTP door: THE route table. Handlers parse, call one service function, and render.

pub mod api;
pub mod http;
pub mod mcp;
pub mod metric_labels;
mod openapi;
pub mod pages;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

pub use application::rate_limits::Limiter;
pub use http::error::{Problem, Problems};
pub use openapi::document as openapi_document;

use rmcp::{ServerHandler, transport::streamable_http_server::StreamableHttpServerConfig};

use crate::mcp::Mcp;
use application::{app::App, health::Probes};
use config::Role;

/// What handlers are handed.
#[derive(Clone)]
pub struct Shared {
    /// The product.
    pub app: App,
    /// What this process does.
    pub role: Role,
    /// How it is.
    pub probes: Probes,
    /// What was counted.
    pub metrics: Option<PrometheusHandle>,
    /// How often each caller may call.
    pub limiter: Arc<Limiter>,
    /// Whether another process serves, and this one waits.
    pub standby: application::standby::Standby,
    /// The process is going to end: what comes is still answered, and better sent elsewhere.
    pub leaving: tokio_util::sync::CancellationToken,
    /// No new work is taken: the process is ending.
    pub draining: tokio_util::sync::CancellationToken,
}

/// All routes of the product, as far as its role has them.
pub fn router(shared: Shared) -> Router {
    let handler = Mcp::new(shared.app.clone(), mcp::http::caller_of);
    let config = mcp::http::config(&shared);
    router_with_mcp(shared, handler, config)
}

/// The routes of all roles, as metrics and logs name them, and the word for none.
pub fn route_names() -> Vec<String> {
    const OTHERS: [&str; 13] = [
        "none",
        "/health",
        "/livez",
        "/readyz",
        "/startupz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/",
        "/docs/{*rest}",
        "/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ];
    let pages = pages::pages().into_iter().map(|(path, _)| path);
    let api = api::table().into_iter().map(|(path, _)| path);
    OTHERS.into_iter().chain(["/assets/{file}"]).chain(pages).chain(api).map(str::to_owned).collect()
}

/// The same routes and the same guards around another MCP server.
pub fn router_with_mcp<H>(shared: Shared, handler: H, config: StreamableHttpServerConfig) -> Router
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let max_body = shared.app.config.server.max_body_bytes;
    let mut routes = Router::new()
        .route("/health", get(api::health::find_health))
        .route("/livez", get(api::health::find_livez))
        .route("/readyz", get(api::health::find_readyz))
        .route("/startupz", get(api::health::find_startupz))
        .route("/metrics", get(api::health::find_metrics));
    if shared.role != Role::Mcp {
        routes = routes
            .route("/openapi.json", get(openapi::find_openapi))
            .merge(openapi::swagger_ui())
            .merge(if shared.role.has_pages() { pages::routes() } else { pages::root() });
        routes = api::table().into_iter().fold(routes, |routes, (path, methods)| routes.route(path, methods));
    }
    if shared.role != Role::Ai {
        routes = routes.merge(mcp::http::routes(&shared, handler, config));
    }
    routes
        .fallback(http::error::no_such_route)
        .method_not_allowed_fallback(http::error::no_such_method)
        .layer(from_fn_with_state(shared.clone(), http::idempotency::carry_out_once))
        .layer(from_fn_with_state(shared.clone(), http::identify::identify))
        .layer(from_fn_with_state(shared.clone(), http::middleware::refuse_circles))
        .layer(DefaultBodyLimit::max(max_body))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(http::error::answer_panic))
        .layer(from_fn(http::middleware::answer_slow_bodies))
        .layer(from_fn(http::middleware::problem_bodies))
        .layer(from_fn_with_state(shared.clone(), http::middleware::check_host))
        .layer(from_fn(http::middleware::observe))
        .layer(from_fn_with_state(shared.clone(), http::middleware::send_elsewhere))
        .with_state(shared)
}
