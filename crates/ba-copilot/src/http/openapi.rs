//! The OpenAPI document and the page that shows it, both served from the binary.

use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Problem, Shared, api};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BA Copilot",
        description = "Requirement text in, validated diagrams out. Everything is checked by Mermaid's own parser before it is called valid.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        api::generate::generate_diagram,
        api::validate::validate_code,
        api::repair::repair_code,
        api::render::render_code,
        api::health::find_health,
        api::health::find_livez,
        api::health::find_readyz,
        api::health::find_startupz,
        api::health::find_metrics,
    ),
    components(schemas(Problem)),
    tags(
        (name = "generate", description = "Requirements in, diagrams out"),
        (name = "check", description = "Check, repair and draw Mermaid text"),
        (name = "operations", description = "For those who run it"),
    )
)]
struct Document;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) async fn find_openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// Swagger UI at `/docs`.
pub(super) fn swagger_ui() -> Router<Shared> {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true)).into()
}
