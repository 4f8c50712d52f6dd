//! Keys of vendors that people and projects bring along. They are never shown again.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{
    access::Caller,
    clock::rfc3339,
    provider_keys::{self, Owner, ProviderKeyView},
};

/// A key, without the key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderKeyReply {
    /// The vendor.
    #[schema(example = "openrouter")]
    provider: String,
    /// Its last characters.
    #[schema(example = "9f3a")]
    hint: String,
    /// When it was brought.
    created_at: String,
}

impl ProviderKeyReply {
    fn of(key: ProviderKeyView) -> Self {
        ProviderKeyReply { provider: key.provider, hint: key.hint, created_at: rfc3339(key.created_at) }
    }
}

/// A key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderKeyBody {
    /// The key. It is sealed at once and never shown again.
    #[schema(value_type = String, format = Password)]
    key: SecretString,
}

async fn list(
    shared: &Shared,
    caller: &Caller,
    owner: &Owner,
) -> Result<Json<Vec<ProviderKeyReply>>, Pending> {
    let keys = provider_keys::list_keys(&shared.app, caller, owner).await?;
    Ok(Json(keys.into_iter().map(ProviderKeyReply::of).collect()))
}

/// Your keys of vendors
///
/// They pay for what you generate, before those of the project and of the server.
#[utoipa::path(get, path = "/api/v1/me/provider-keys", operation_id = "list_my_provider_keys", tag = "accounts", responses((status = 200, description = "By vendor, without the keys", body = [ProviderKeyReply]), Problems))]
pub async fn list_my_provider_keys(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Vec<ProviderKeyReply>>, Pending> {
    list(&shared, &caller, &Owner::Me).await
}

/// Bring a key of yours
#[utoipa::path(put, path = "/api/v1/me/provider-keys/{provider}", operation_id = "set_my_provider_key", tag = "accounts", params(("provider" = String, Path, description = "The vendor", example = "openrouter")), request_body = ProviderKeyBody, responses((status = 204, description = "Kept, in place of the one before"), Problems))]
pub async fn set_my_provider_key(
    State(shared): State<Shared>,
    caller: Caller,
    Path(provider): Path<String>,
    Body(body): Body<ProviderKeyBody>,
) -> Result<StatusCode, Pending> {
    provider_keys::set_key(&shared.app, &caller, &Owner::Me, &provider, &body.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget a key of yours
#[utoipa::path(delete, path = "/api/v1/me/provider-keys/{provider}", operation_id = "delete_my_provider_key", tag = "accounts", params(("provider" = String, Path, description = "The vendor")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_my_provider_key(
    State(shared): State<Shared>,
    caller: Caller,
    Path(provider): Path<String>,
) -> Result<StatusCode, Pending> {
    provider_keys::delete_key(&shared.app, &caller, &Owner::Me, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The keys of vendors of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/provider-keys", operation_id = "list_project_provider_keys", tag = "projects", params(("project" = String, Path, description = "Its id")), responses((status = 200, description = "By vendor, without the keys", body = [ProviderKeyReply]), Problems))]
pub async fn list_project_provider_keys(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<Json<Vec<ProviderKeyReply>>, Pending> {
    list(&shared, &caller, &Owner::Project(project)).await
}

/// Bring a key for a project
#[utoipa::path(put, path = "/api/v1/projects/{project}/provider-keys/{provider}", operation_id = "set_project_provider_key", tag = "projects", params(("project" = String, Path, description = "Its id"), ("provider" = String, Path, description = "The vendor", example = "openrouter")), request_body = ProviderKeyBody, responses((status = 204, description = "Kept, in place of the one before"), Problems))]
pub async fn set_project_provider_key(
    State(shared): State<Shared>,
    caller: Caller,
    Path((project, provider)): Path<(String, String)>,
    Body(body): Body<ProviderKeyBody>,
) -> Result<StatusCode, Pending> {
    provider_keys::set_key(&shared.app, &caller, &Owner::Project(project), &provider, &body.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget a key of a project
#[utoipa::path(delete, path = "/api/v1/projects/{project}/provider-keys/{provider}", operation_id = "delete_project_provider_key", tag = "projects", params(("project" = String, Path, description = "Its id"), ("provider" = String, Path, description = "The vendor")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_project_provider_key(
    State(shared): State<Shared>,
    caller: Caller,
    Path((project, provider)): Path<(String, String)>,
) -> Result<StatusCode, Pending> {
    provider_keys::delete_key(&shared.app, &caller, &Owner::Project(project), &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}
