//! HTTP API, web pages and MCP server. Handlers parse, call one function of `application`, and render.

mod access_table;
pub mod api;
pub mod http;
pub mod mcp;
pub mod metric_labels;
mod openapi;
pub mod pages;
pub mod route;
mod state;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use rmcp::{ServerHandler, transport::streamable_http_server::StreamableHttpServerConfig};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    http::{base_path::Entrance, middleware::AllowedHosts},
    mcp::Mcp,
    route::Route,
};
use config::Role;

pub use access_table::ACCESS_BY_PATH;
pub use application::rate_limits::Limiter;
pub use openapi::document as openapi_document;
pub use state::AppState;

/// The routes of this process's role.
pub fn router(state: AppState) -> Router {
    let handler = Mcp::new(state.app.clone(), mcp::http::caller_of);
    let config = mcp::http::config(&state);
    router_with_mcp(state, handler, config)
}

/// The same routes and layers around another MCP server.
pub fn router_with_mcp<H>(state: AppState, handler: H, config: StreamableHttpServerConfig) -> Router
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let max_body = state.app.config.server.max_body_bytes;
    let mut routes = mount(Router::new(), api::probes());
    if state.role != Role::Mcp {
        routes = mount(routes.merge(openapi::routes()), api::routes());
        routes = mount(routes, if state.role.has_pages() { pages::routes() } else { pages::root() });
    }
    if state.role != Role::Ai {
        routes = routes.merge(mcp::http::routes(&state, handler, config));
    }
    let routes = match state.role.has_pages() {
        true => routes.fallback(pages::layout::no_such_page),
        false => routes.fallback(http::error::no_such_route),
    };
    let routes = routes
        .method_not_allowed_fallback(http::error::no_such_method)
        .layer(from_fn_with_state(state.clone(), http::idempotency::carry_out_once))
        .layer(from_fn_with_state(state.clone(), http::identify::identify))
        .layer(from_fn_with_state(state.clone(), http::middleware::refuse_loops))
        .layer(DefaultBodyLimit::max(max_body))
        .layer(from_fn(http::base_path::leave))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(http::error::answer_panic))
        .layer(from_fn(http::middleware::answer_slow_bodies))
        .layer(from_fn(http::middleware::problem_bodies))
        .layer(from_fn_with_state(AllowedHosts::new(&state), http::middleware::check_host))
        .layer(from_fn(http::middleware::observe))
        .layer(from_fn_with_state(state.clone(), http::middleware::close_when_leaving))
        .layer(from_fn_with_state(&*ACCESS_BY_PATH, http::access::mark_access))
        .with_state(state.clone());
    // Around the router, because the layers of a router run after it has chosen the route.
    let entrance = Entrance::new(&state.app.config, mcp::http::alias);
    Router::new().fallback_service(routes).layer(from_fn_with_state(entrance, http::base_path::enter))
}

fn mount(router: Router<AppState>, table: Vec<Route>) -> Router<AppState> {
    table.into_iter().fold(router, |router, route| router.route(&route.path, route.methods))
}
