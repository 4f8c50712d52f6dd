//! Provider keys of users and projects. Their values are never returned.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::Caller,
    clock::rfc3339,
    provider_keys::{self, Owner, ProviderKeyView},
};

/// A provider key, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderKeyReply {
    /// Name of the provider.
    #[schema(example = "openrouter")]
    provider: String,
    /// The last characters of the key.
    #[schema(example = "9f3a")]
    hint: String,
    /// When the key was stored.
    created_at: String,
}

impl From<ProviderKeyView> for ProviderKeyReply {
    fn from(key: ProviderKeyView) -> Self {
        ProviderKeyReply { provider: key.provider, hint: key.hint, created_at: rfc3339(key.created_at) }
    }
}

/// A provider key to store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderKeyBody {
    /// The key. It is stored encrypted and never shown again.
    #[schema(value_type = String, format = Password)]
    key: SecretString,
}

async fn list(
    state: &AppState,
    caller: &Caller,
    owner: &Owner,
) -> Result<Json<Vec<ProviderKeyReply>>, ProblemResponse> {
    let keys = provider_keys::list_keys(&state.app, caller, owner).await?;
    Ok(Json(keys.into_iter().map(ProviderKeyReply::from).collect()))
}

/// List your provider keys
///
/// Your keys pay for what you generate, before those of the project and of the server.
#[utoipa::path(
    get,
    path = "/api/v1/me/provider-keys",
    tag = "accounts",
    responses(
        (status = 200, description = "The keys by provider, without their values", body = [ProviderKeyReply]),
        Problems,
    ),
)]
pub async fn list_my_provider_keys(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Vec<ProviderKeyReply>>, ProblemResponse> {
    list(&state, &caller, &Owner::Me).await
}

/// Set a provider key of yours
#[utoipa::path(
    put,
    path = "/api/v1/me/provider-keys/{provider}",
    tag = "accounts",
    params(("provider" = String, Path, description = "Name of the provider", example = "openrouter")),
    request_body = ProviderKeyBody,
    responses((status = 204, description = "Stored, in place of the previous key"), Problems),
)]
pub async fn set_my_provider_key(
    State(state): State<AppState>,
    caller: Caller,
    Path(provider): Path<String>,
    Body(body): Body<ProviderKeyBody>,
) -> Result<StatusCode, ProblemResponse> {
    provider_keys::set_key(&state.app, &caller, &Owner::Me, &provider, &body.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a provider key of yours
#[utoipa::path(
    delete,
    path = "/api/v1/me/provider-keys/{provider}",
    tag = "accounts",
    params(("provider" = String, Path, description = "Name of the provider")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_my_provider_key(
    State(state): State<AppState>,
    caller: Caller,
    Path(provider): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    provider_keys::delete_key(&state.app, &caller, &Owner::Me, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the provider keys of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/provider-keys",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project")),
    responses(
        (status = 200, description = "The keys by provider, without their values", body = [ProviderKeyReply]),
        Problems,
    ),
)]
pub async fn list_project_provider_keys(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<Json<Vec<ProviderKeyReply>>, ProblemResponse> {
    list(&state, &caller, &Owner::Project(project)).await
}

/// Set a provider key of a project
#[utoipa::path(
    put,
    path = "/api/v1/projects/{project}/provider-keys/{provider}",
    tag = "projects",
    params(
        ("project" = String, Path, description = "Id of the project"),
        ("provider" = String, Path, description = "Name of the provider", example = "openrouter"),
    ),
    request_body = ProviderKeyBody,
    responses((status = 204, description = "Stored, in place of the previous key"), Problems),
)]
pub async fn set_project_provider_key(
    State(state): State<AppState>,
    caller: Caller,
    Path((project, provider)): Path<(String, String)>,
    Body(body): Body<ProviderKeyBody>,
) -> Result<StatusCode, ProblemResponse> {
    provider_keys::set_key(&state.app, &caller, &Owner::Project(project), &provider, &body.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a provider key of a project
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/provider-keys/{provider}",
    tag = "projects",
    params(
        ("project" = String, Path, description = "Id of the project"),
        ("provider" = String, Path, description = "Name of the provider"),
    ),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_project_provider_key(
    State(state): State<AppState>,
    caller: Caller,
    Path((project, provider)): Path<(String, String)>,
) -> Result<StatusCode, ProblemResponse> {
    provider_keys::delete_key(&state.app, &caller, &Owner::Project(project), &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}
