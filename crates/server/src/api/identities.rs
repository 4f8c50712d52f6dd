//! `/api/v1/me/identities`: the identities of the caller at identity providers.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::Caller,
    accounts::oidc::{self, IdentityView},
    clock::rfc3339,
};

/// An identity at an identity provider.
#[derive(Serialize, ToSchema)]
pub struct IdentityReply {
    /// Id of the identity.
    #[schema(example = "idn_…")]
    id: String,
    /// The issuer URL of the provider.
    #[schema(example = "https://accounts.example.com")]
    issuer: String,
    /// Name of the provider in the configuration of this server. Absent if the provider is not configured any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Example")]
    name: Option<String>,
    /// When the identity was linked.
    created_at: String,
}

impl From<IdentityView> for IdentityReply {
    fn from(identity: IdentityView) -> Self {
        IdentityReply {
            id: identity.id,
            issuer: identity.issuer,
            name: identity.name,
            created_at: rfc3339(identity.created_at),
        }
    }
}

/// List your identities at identity providers
#[utoipa::path(
    get,
    path = "/api/v1/me/identities",
    tag = "accounts",
    responses(
        (status = 200, description = "The identities, oldest first", body = Vec<IdentityReply>),
        Problems,
    ),
)]
pub async fn list_identities(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Vec<IdentityReply>>, ProblemResponse> {
    let identities = oidc::list_identities(&state.app, &caller).await?;
    Ok(Json(identities.into_iter().map(IdentityReply::from).collect()))
}

/// Unlink an identity
///
/// Refused if you could not sign in any more: set a password first. Not possible with a token.
#[utoipa::path(
    delete,
    path = "/api/v1/me/identities/{identity}",
    tag = "accounts",
    params(("identity" = String, Path, description = "Id of the identity")),
    responses((status = 204, description = "Unlinked"), Problems),
)]
pub async fn delete_identity(
    State(state): State<AppState>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    oidc::delete_identity(&state.app, &caller, &identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
