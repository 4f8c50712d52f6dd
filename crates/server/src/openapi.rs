//! The OpenAPI document and the page that shows it, both served from the binary.

use axum::{
    Json, Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ObjectBuilder, RefOr, Required, Type,
        path::{ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Problem, Shared, api, http::identify::OPEN};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BA Copilot",
        description = "Requirement text in, validated diagrams out. Everything is checked by Mermaid's own parser before it is called valid.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        api::generate::generate_diagram,
        api::jobs::find_job,
        api::jobs::list_jobs,
        api::events::follow_project,
        api::webhooks::list_webhooks,
        api::webhooks::create_webhook,
        api::webhooks::find_webhook,
        api::webhooks::update_webhook,
        api::webhooks::delete_webhook,
        api::webhooks::list_deliveries,
        api::validate::validate_code,
        api::repair::repair_code,
        api::render::render_code,
        api::projects::list_projects,
        api::projects::create_project,
        api::projects::find_project,
        api::projects::update_project,
        api::audit::list_project_events,
        api::audit_export::export_project_events,
        api::folders::list_folders,
        api::folders::create_folder,
        api::folders::find_folder,
        api::folders::update_folder,
        api::folders::delete_folder,
        api::diagrams::list_diagrams,
        api::diagrams::create_diagram,
        api::diagrams::find_diagram,
        api::diagrams::update_diagram,
        api::diagrams::list_versions,
        api::diagrams::create_version,
        api::diagrams::find_version,
        api::requirements::list_requirements,
        api::requirements::create_requirement,
        api::requirements::import_requirements,
        api::requirements::find_requirement,
        api::requirements::update_requirement,
        api::requirements::list_requirement_versions,
        api::requirements::list_trace_links,
        api::requirements::create_trace_link,
        api::requirements::confirm_trace_link,
        api::requirements::delete_trace_link,
        api::reviews::list_comments,
        api::reviews::create_comment,
        api::reviews::resolve_comment,
        api::reviews::list_approvals,
        api::reviews::create_approval,
        api::reviews::list_baselines,
        api::reviews::create_baseline,
        api::reviews::find_baseline,
        api::reviews::list_terms,
        api::reviews::create_term,
        api::reviews::update_term,
        api::reviews::delete_term,
        api::members::list_members,
        api::members::update_member,
        api::members::delete_member,
        api::members::list_invitations,
        api::members::create_invitation,
        api::members::delete_invitation,
        api::members::accept_invitation,
        api::sign_in::create_session,
        api::sign_in::finish_session,
        api::sign_in::list_sessions,
        api::sign_in::delete_session,
        api::sign_in::create_password_reset,
        api::sign_in::finish_password_reset,
        api::account::find_me,
        api::account::update_me,
        api::account::delete_me,
        api::account::export_me,
        api::account::update_password,
        api::account::update_email,
        api::account::create_verification,
        api::account::offer_second_factor,
        api::account::set_second_factor,
        api::account::delete_second_factor,
        api::recovery_codes::count_recovery_codes,
        api::recovery_codes::create_recovery_codes,
        api::identities::list_identities,
        api::identities::delete_identity,
        api::provider_keys::list_my_provider_keys,
        api::provider_keys::set_my_provider_key,
        api::provider_keys::delete_my_provider_key,
        api::provider_keys::list_project_provider_keys,
        api::provider_keys::set_project_provider_key,
        api::provider_keys::delete_project_provider_key,
        api::budgets::find_project_budget,
        api::budgets::set_project_budget,
        api::budgets::delete_project_budget,
        api::budgets::find_user_budget,
        api::budgets::set_user_budget,
        api::budgets::delete_user_budget,
        api::budgets::find_my_budget,
        api::tokens::list_tokens,
        api::tokens::create_token,
        api::tokens::delete_token,
        api::users::list_users,
        api::users::create_user,
        api::users::update_user,
        api::audit::list_events,
        api::audit_export::export_events,
        api::log_level::find_log_level,
        api::log_level::update_log_level,
        api::health::find_health,
        api::health::find_livez,
        api::health::find_readyz,
        api::health::find_startupz,
        api::health::find_metrics,
    ),
    components(schemas(Problem)),
    modifiers(&Security, &Once),
    security((), ("token" = []), ("session" = [])),
    tags(
        (name = "generate", description = "Requirements in, diagrams out"),
        (name = "check", description = "Check, repair and draw Mermaid text"),
        (name = "projects", description = "What people work in together"),
        (name = "diagrams", description = "Diagrams that are kept, and their versions"),
        (name = "requirements", description = "What diagrams are built on, and which element comes from which"),
        (name = "reviews", description = "Comments, approvals, baselines, and what words mean"),
        (name = "members", description = "Who may enter a project"),
        (name = "webhooks", description = "Tell other systems of what happens in a project"),
        (name = "accounts", description = "What you manage of yourself"),
        (name = "administration", description = "For those who decide who may come in"),
        (name = "operations", description = "For those who run it"),
    )
)]
struct Document;

/// How callers say who they are.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some(
            "A token that you made at /account, `bac_…`. Not needed where there are no accounts.".to_owned(),
        );
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKeyValue::with_description(
            "bac_session",
            "Set by signing in. Over HTTPS its name is `__Host-bac_session`.",
        );
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// What every POST of somebody who is known takes.
struct Once;

impl Modify for Once {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Any text of yours that names this request, such as a UUID: sent again with the same key within a day, it is carried out once and answered as before, with `Idempotent-Replayed: true`.",
            ))
            .schema(Some(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .min_length(Some(1))
                    .max_length(Some(255))
                    .pattern(Some("^[!-~]+$")),
            ))
            .build();
        for (path, item) in &mut document.paths.paths {
            if let Some(post) = item.post.as_mut().filter(|_| !OPEN.contains(&path.as_str())) {
                post.parameters.get_or_insert_default().push(RefOr::T(key.clone()));
            }
        }
    }
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) async fn find_openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// What the page may load: its own scripts and styles, the document and what is tried out, all from here, and pictures that its styles hold.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// Swagger UI at `/docs`.
pub(super) fn swagger_ui() -> Router<Shared> {
    // Without the bar at the top, which loads other documents, and whose picture has a style of its own.
    let config = Config::from("/openapi.json").try_it_out_enabled(true).use_base_layout();
    let page: Router<Shared> = SwaggerUi::new("/docs").config(config).into();
    page.layer(map_response(|mut response: Response| async {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, DOCS_POLICY);
        response
    }))
}
