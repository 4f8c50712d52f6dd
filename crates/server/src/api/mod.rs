//! The API: one file for each resource, with its wire types, its documentation and its handler.

pub mod account;
pub mod audit;
pub mod audit_export;
pub mod budgets;
pub mod diagrams;
pub mod events;
pub mod folders;
pub mod generate;
pub mod health;
pub mod identities;
pub mod jobs;
pub mod log_level;
pub mod members;
pub mod projects;
pub mod provider_keys;
pub mod recovery_codes;
pub mod render;
pub mod repair;
pub mod requirements;
pub mod reviews;
pub mod sign_in;
pub mod tokens;
pub mod users;
pub mod validate;
pub mod webhooks;

use axum::{
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    routing::{MethodRouter, delete, get, patch, post, put},
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Shared, http::error::Pending};
use application::page::{Listing, Page};

/// THE table of the API. The OpenAPI document lists the same routes; a test compares them.
pub fn table() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/api/v1/generate/{diagram}", post(generate::generate_diagram)),
        ("/api/v1/jobs/{job}", get(jobs::find_job)),
        ("/api/v1/projects/{project}/jobs", get(jobs::list_jobs)),
        ("/api/v1/projects/{project}/events", get(events::follow_project)),
        ("/api/v1/projects/{project}/webhooks", get(webhooks::list_webhooks).post(webhooks::create_webhook)),
        (
            "/api/v1/webhooks/{webhook}",
            get(webhooks::find_webhook).patch(webhooks::update_webhook).delete(webhooks::delete_webhook),
        ),
        ("/api/v1/webhooks/{webhook}/deliveries", get(webhooks::list_deliveries)),
        ("/api/v1/validate", post(validate::validate_code)),
        ("/api/v1/repair", post(repair::repair_code)),
        ("/api/v1/render", post(render::render_code)),
        ("/api/v1/sign-in", post(sign_in::create_session)),
        ("/api/v1/sign-in/code", post(sign_in::finish_session)),
        ("/api/v1/sessions", get(sign_in::list_sessions)),
        ("/api/v1/sessions/{session}", delete(sign_in::delete_session)),
        ("/api/v1/password-resets", post(sign_in::create_password_reset)),
        ("/api/v1/password-resets/finish", post(sign_in::finish_password_reset)),
        ("/api/v1/me", get(account::find_me).patch(account::update_me).delete(account::delete_me)),
        ("/api/v1/me/export", get(account::export_me)),
        ("/api/v1/me/password", put(account::update_password)),
        ("/api/v1/me/email", put(account::update_email)),
        ("/api/v1/me/verification", post(account::create_verification)),
        (
            "/api/v1/me/second-factor",
            post(account::offer_second_factor)
                .put(account::set_second_factor)
                .delete(account::delete_second_factor),
        ),
        (
            "/api/v1/me/recovery-codes",
            get(recovery_codes::count_recovery_codes).post(recovery_codes::create_recovery_codes),
        ),
        ("/api/v1/me/identities", get(identities::list_identities)),
        ("/api/v1/me/identities/{identity}", delete(identities::delete_identity)),
        ("/api/v1/me/budget", get(budgets::find_my_budget)),
        (
            "/api/v1/projects/{project}/budget",
            get(budgets::find_project_budget)
                .put(budgets::set_project_budget)
                .delete(budgets::delete_project_budget),
        ),
        (
            "/api/v1/users/{user}/budget",
            get(budgets::find_user_budget).put(budgets::set_user_budget).delete(budgets::delete_user_budget),
        ),
        ("/api/v1/me/provider-keys", get(provider_keys::list_my_provider_keys)),
        (
            "/api/v1/me/provider-keys/{provider}",
            put(provider_keys::set_my_provider_key).delete(provider_keys::delete_my_provider_key),
        ),
        ("/api/v1/projects/{project}/provider-keys", get(provider_keys::list_project_provider_keys)),
        (
            "/api/v1/projects/{project}/provider-keys/{provider}",
            put(provider_keys::set_project_provider_key).delete(provider_keys::delete_project_provider_key),
        ),
        ("/api/v1/tokens", get(tokens::list_tokens).post(tokens::create_token)),
        ("/api/v1/tokens/{token}", delete(tokens::delete_token)),
        ("/api/v1/users", get(users::list_users).post(users::create_user)),
        ("/api/v1/users/{user}", patch(users::update_user)),
        ("/api/v1/audit-events", get(audit::list_events)),
        ("/api/v1/log-level", get(log_level::find_log_level).put(log_level::update_log_level)),
        ("/api/v1/audit-events/export", get(audit_export::export_events)),
        ("/api/v1/projects", get(projects::list_projects).post(projects::create_project)),
        ("/api/v1/projects/{project}", get(projects::find_project).patch(projects::update_project)),
        ("/api/v1/projects/{project}/audit-events", get(audit::list_project_events)),
        ("/api/v1/projects/{project}/audit-events/export", get(audit_export::export_project_events)),
        ("/api/v1/projects/{project}/folders", get(folders::list_folders).post(folders::create_folder)),
        (
            "/api/v1/folders/{folder}",
            get(folders::find_folder).patch(folders::update_folder).delete(folders::delete_folder),
        ),
        ("/api/v1/projects/{project}/members", get(members::list_members)),
        (
            "/api/v1/projects/{project}/members/{user}",
            put(members::update_member).delete(members::delete_member),
        ),
        (
            "/api/v1/projects/{project}/invitations",
            get(members::list_invitations).post(members::create_invitation),
        ),
        ("/api/v1/projects/{project}/invitations/{invitation}", delete(members::delete_invitation)),
        ("/api/v1/invitations/accept", post(members::accept_invitation)),
        ("/api/v1/projects/{project}/diagrams", get(diagrams::list_diagrams).post(diagrams::create_diagram)),
        ("/api/v1/diagrams/{diagram}", get(diagrams::find_diagram).patch(diagrams::update_diagram)),
        ("/api/v1/diagrams/{diagram}/versions", get(diagrams::list_versions).post(diagrams::create_version)),
        ("/api/v1/diagrams/{diagram}/versions/{number}", get(diagrams::find_version)),
        (
            "/api/v1/diagrams/{diagram}/versions/{number}/approvals",
            get(reviews::list_approvals).post(reviews::create_approval),
        ),
        ("/api/v1/diagrams/{diagram}/comments", get(reviews::list_comments).post(reviews::create_comment)),
        ("/api/v1/comments/{comment}", patch(reviews::resolve_comment)),
        (
            "/api/v1/diagrams/{diagram}/trace-links",
            get(requirements::list_trace_links).post(requirements::create_trace_link),
        ),
        ("/api/v1/trace-links/{link}", delete(requirements::delete_trace_link)),
        ("/api/v1/trace-links/{link}/confirm", post(requirements::confirm_trace_link)),
        (
            "/api/v1/projects/{project}/requirements",
            get(requirements::list_requirements).post(requirements::create_requirement),
        ),
        (
            "/api/v1/projects/{project}/requirements/import",
            post(requirements::import_requirements)
                .layer(DefaultBodyLimit::max(requirements::MAX_IMPORT_BYTES)),
        ),
        (
            "/api/v1/requirements/{requirement}",
            get(requirements::find_requirement).patch(requirements::update_requirement),
        ),
        ("/api/v1/requirements/{requirement}/versions", get(requirements::list_requirement_versions)),
        ("/api/v1/projects/{project}/baselines", get(reviews::list_baselines).post(reviews::create_baseline)),
        ("/api/v1/baselines/{baseline}", get(reviews::find_baseline)),
        ("/api/v1/projects/{project}/glossary", get(reviews::list_terms).post(reviews::create_term)),
        ("/api/v1/terms/{term}", patch(reviews::update_term).delete(reviews::delete_term)),
    ]
}

/// Strings, numbers and lists as JSON: that cannot fail.
fn as_json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Tells what is not said from `null`: the one changes nothing, the other takes away.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `next` of the page before; leave it out for the first page.
    #[param(pattern = "^-?[0-9]{1,18}~[!-~]{1,128}$")]
    after: Option<String>,
    /// How many entries at most, 1 to 200.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u32>,
}

impl From<ListQuery> for Listing {
    fn from(query: ListQuery) -> Self {
        Listing { after: query.after, limit: query.limit }
    }
}

/// What is looked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words, or beginnings of words, of the title. The answer is one page then.
    #[param(example = "order")]
    q: Option<String>,
}

/// The parameters behind the question mark, with errors that people can use.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Pending> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(_) => Err(Pending::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_input",
                "The parameters behind the question mark cannot be read. See /docs for what there is.",
            )),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageReply<T> {
    /// The entries, newest first.
    items: Vec<T>,
    /// Send it as `after` for more; not there on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> PageReply<T> {
    fn of<U>(page: Page<U>, turn: impl FnMut(U) -> T) -> Self {
        let Page { items, next } = page.map(turn);
        PageReply { items, next }
    }
}

/// Which revision the caller has seen, from `If-Match`; none for `*`, whatever it is now.
pub struct Seen(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for Seen {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Pending> {
        let Some(value) = parts.headers.get(header::IF_MATCH).filter(|value| !value.is_empty()) else {
            return Err(if_match_needed());
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Seen(None));
        }
        let revision = text.trim_start_matches("W/").trim_matches('"').parse();
        // An ETag that we never gave matches nothing.
        revision.map(|revision| Seen(Some(revision))).map_err(|_| {
            Pending::new(
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "`If-Match` is not an `ETag` of this. Read it again, then change it.",
            )
        })
    }
}

/// The answer to a change that does not say what it is a change of.
fn if_match_needed() -> Pending {
    Pending::new(
        StatusCode::PRECONDITION_REQUIRED,
        "if_match_needed",
        "Say which one you have seen: send its `ETag` as `If-Match`, so that you overwrite nobody's change. `*` changes it whatever it is now.",
    )
}

/// The `ETag` of a revision.
fn etag(revision: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        headers.insert(header::ETAG, value);
    }
    headers
}
