//! The OpenAPI document and the page that shows it, both served from the binary.

use axum::{
    Json, Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::get,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ObjectBuilder, RefOr, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
        server::Server,
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    api,
    http::{access::Access, base_path::BasePath, error::Problem},
    route::Route,
    state::AppState,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BA Copilot",
        description = "Turns requirement text into validated diagrams. A diagram is called valid only if Mermaid's \
            own parser accepts it.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem)),
    modifiers(&Security),
    security((), ("token" = []), ("session" = [])),
    tags(
        (name = "generate", description = "Generate diagrams from requirements"),
        (name = "check", description = "Check, repair and render Mermaid text"),
        (name = "projects", description = "Projects: shared workspaces with members, budgets and keys"),
        (name = "diagrams", description = "Stored diagrams, their versions and folders"),
        (name = "requirements", description = "Requirements, and trace links from requirements to diagram elements"),
        (name = "reviews", description = "Comments, approvals, baselines and the glossary"),
        (name = "members", description = "Members of a project, and invitations"),
        (name = "webhooks", description = "Notify other systems of events in a project"),
        (name = "accounts", description = "Your account, sessions, tokens and keys"),
        (name = "administration", description = "Users, budgets of users, and the audit log of the server"),
        (name = "operations", description = "Health, metrics and the log level"),
    )
)]
struct Document;

/// The authentication schemes.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description =
            Some("A token `bac_…`, created at /account. Not needed on a server without accounts.".to_owned());
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKeyValue::with_description(
            "bac_session",
            "The session cookie, set by signing in. Over HTTPS its name is `__Host-bac_session`, or \
             `__Secure-bac_session` if the server is reached below a path.",
        );
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// What every POST of an authenticated caller accepts.
fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A text of your choice that names this request, such as a UUID. If you send the request again with the \
             same key within 24 hours, it is not carried out again: you get the first answer, with \
             `Idempotent-Replayed: true`.",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$")),
        ))
        .build()
}

/// The document, from the route tables.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let key = idempotency_key();
    for Route { access, mut operations, schemas, .. } in api::probes().into_iter().chain(api::routes()) {
        if access == Access::Authenticated {
            for post in operations.paths.values_mut().filter_map(|item| item.post.as_mut()) {
                post.parameters.get_or_insert_default().push(RefOr::T(key.clone()));
            }
        }
        document.paths.paths.extend(operations.paths);
        document.components.get_or_insert_default().schemas.extend(schemas);
    }
    document
}

async fn find_openapi(base: BasePath) -> Json<utoipa::openapi::OpenApi> {
    let mut document = document();
    if !base.as_str().is_empty() {
        document.servers = Some(vec![Server::new(base.as_str())]);
    }
    Json(document)
}

/// What the page may load: its own scripts and styles, this server's responses, and pictures inside its styles.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

const DOCUMENT_PATH: &str = "/openapi.json";
const DOCS_PATH: &str = "/docs";
/// The document and the routes of Swagger UI.
pub(crate) const PATHS: [&str; 4] = [DOCUMENT_PATH, DOCS_PATH, "/docs/", "/docs/{*rest}"];

/// The document, and Swagger UI.
pub(crate) fn routes() -> Router<AppState> {
    // The base layout has no top bar, which would load other documents and has an inline style.
    // From `/docs/`, below any base path.
    let config = Config::from("../openapi.json").try_it_out_enabled(true).use_base_layout();
    let page: Router<AppState> = SwaggerUi::new(DOCS_PATH).config(config).into();
    let page = page.layer(map_response(|mut response: Response| async {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, DOCS_POLICY);
        response
    }));
    page.route(DOCUMENT_PATH, get(find_openapi))
}
