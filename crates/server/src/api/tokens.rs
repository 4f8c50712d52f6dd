//! `/api/v1/tokens`: what programs call with.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query};
use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{
    Token,
    access::Caller,
    accounts::tokens::{self, NewToken},
    clock::rfc3339,
};

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenReply {
    /// Its id.
    id: String,
    /// What it is for.
    #[schema(example = "nightly build")]
    name: String,
    /// What it may do.
    #[schema(example = json!(["read", "generate"]))]
    scopes: Vec<String>,
    /// When it was made.
    created_at: String,
    /// Until when it is good; for ever if not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    /// Since when it is not good any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

impl TokenReply {
    fn of(token: Token) -> Self {
        TokenReply {
            id: token.id.to_string(),
            name: token.name,
            scopes: token.scopes.split_whitespace().map(str::to_owned).collect(),
            created_at: rfc3339(token.created_at),
            expires_at: token.expires_at.map(rfc3339),
            used_at: token.used_at.map(rfc3339),
            revoked_at: token.revoked_at.map(rfc3339),
        }
    }
}

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// What it is for.
    #[schema(example = "nightly build")]
    name: String,
    /// `read`, `write`, `generate`, `mcp`, `account`.
    #[schema(example = json!(["read", "generate"]))]
    scopes: Vec<String>,
    /// For how many days; for ever if not said.
    #[schema(example = 90, minimum = 1, maximum = 3650)]
    days: Option<u32>,
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub struct NewTokenReply {
    /// The token.
    #[serde(flatten)]
    token: TokenReply,
    /// Send it as `Authorization: Bearer …`. It is shown this once.
    #[schema(example = "bac_…")]
    secret: String,
}

/// Your tokens
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "accounts", params(ListQuery), responses((status = 200, description = "A page of them", body = PageReply<TokenReply>), Problems))]
pub async fn list_tokens(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TokenReply>>, Pending> {
    let page = tokens::list_tokens(&shared.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::of(page, TokenReply::of)))
}

/// Make a token
///
/// Not possible with a token: it would outlive the one that made it, or do more.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "create_token", tag = "accounts", request_body = TokenBody, responses((status = 201, description = "The token and its secret", body = NewTokenReply), Problems))]
pub async fn create_token(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<TokenBody>,
) -> Result<(StatusCode, Json<NewTokenReply>), Pending> {
    let wanted = NewToken { name: body.name, scopes: body.scopes, days: body.days };
    let (token, secret) = tokens::create_token(&shared.app, &caller, wanted).await?;
    Ok((StatusCode::CREATED, Json(NewTokenReply { token: TokenReply::of(token), secret })))
}

/// End a token
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", operation_id = "delete_token", tag = "accounts", params(("token" = String, Path, description = "Its id")), responses((status = 204, description = "It is not good any more"), Problems))]
pub async fn delete_token(
    State(shared): State<Shared>,
    caller: Caller,
    Path(token): Path<String>,
) -> Result<StatusCode, Pending> {
    tokens::delete_token(&shared.app, &caller, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
