//! `/api/v1/me/identities`: with which identity providers the caller can sign in.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Shared,
    http::error::{Pending, Problems},
};
use application::{
    access::Caller,
    accounts::oidc::{self, IdentityView},
    clock::rfc3339,
};

/// Somewhere else where you are known.
#[derive(Serialize, ToSchema)]
pub struct IdentityReply {
    /// Its id.
    #[schema(example = "idn_…")]
    id: String,
    /// The provider, as it calls itself.
    #[schema(example = "https://accounts.example.com")]
    issuer: String,
    /// What this server calls the provider; not there if it does not use it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Example")]
    name: Option<String>,
    /// Since when you can sign in with it.
    created_at: String,
}

impl IdentityReply {
    fn of(identity: IdentityView) -> Self {
        IdentityReply {
            id: identity.id,
            issuer: identity.issuer,
            name: identity.name,
            created_at: rfc3339(identity.created_at),
        }
    }
}

/// With which identity providers you can sign in
#[utoipa::path(get, path = "/api/v1/me/identities", operation_id = "list_identities", tag = "accounts", responses((status = 200, description = "The identities, first come first", body = Vec<IdentityReply>), Problems))]
pub async fn list_identities(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Vec<IdentityReply>>, Pending> {
    let identities = oidc::list_identities(&shared.app, &caller).await?;
    Ok(Json(identities.into_iter().map(IdentityReply::of).collect()))
}

/// Sign in with an identity provider no more
///
/// Refused if it is all you can sign in with: choose a password first. Not possible with a token.
#[utoipa::path(delete, path = "/api/v1/me/identities/{identity}", operation_id = "delete_identity", tag = "accounts", params(("identity" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_identity(
    State(shared): State<Shared>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<StatusCode, Pending> {
    oidc::delete_identity(&shared.app, &caller, &identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
