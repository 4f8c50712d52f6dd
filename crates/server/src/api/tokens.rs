//! `/api/v1/tokens`: access tokens of programs.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Body, ListQuery, Query},
    reply::PageReply,
};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
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
    /// Id of the token.
    id: String,
    /// Name of the token.
    #[schema(example = "nightly build")]
    name: String,
    /// The scopes of the token.
    #[schema(example = json!(["read", "generate"]))]
    scopes: Vec<String>,
    /// When the token was created.
    created_at: String,
    /// When the token expires. Absent if it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When the token was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    /// When the token was revoked. Absent if it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

impl From<Token> for TokenReply {
    fn from(token: Token) -> Self {
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

/// A token to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// Name of the token.
    #[schema(example = "nightly build")]
    name: String,
    /// One or more of `read`, `write`, `generate`, `mcp`, `account`.
    #[schema(example = json!(["read", "generate"]))]
    scopes: Vec<String>,
    /// Days until the token expires, 1 to 3650. Default: it does not expire.
    #[schema(example = 90, minimum = 1, maximum = 3650)]
    days: Option<u32>,
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub struct NewTokenReply {
    /// The token.
    #[serde(flatten)]
    token: TokenReply,
    /// The secret, shown only once. Send it as `Authorization: Bearer …`.
    #[schema(example = "bac_…")]
    secret: String,
}

/// List your tokens
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "accounts",
    params(ListQuery),
    responses((status = 200, description = "A page of tokens", body = PageReply<TokenReply>), Problems),
)]
pub async fn list_tokens(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TokenReply>>, ProblemResponse> {
    let page = tokens::list_tokens(&state.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, TokenReply::from)))
}

/// Create a token
///
/// Not possible with a token: the new token could outlive the one that created it, or have more scopes.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "accounts",
    request_body = TokenBody,
    responses((status = 201, description = "The token and its secret", body = NewTokenReply), Problems),
)]
pub async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<TokenBody>,
) -> Result<(StatusCode, Json<NewTokenReply>), ProblemResponse> {
    let wanted = NewToken { name: body.name, scopes: body.scopes, days: body.days };
    let (token, secret) = tokens::create_token(&state.app, &caller, wanted).await?;
    Ok((StatusCode::CREATED, Json(NewTokenReply { token: TokenReply::from(token), secret })))
}

/// Revoke a token
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token}",
    tag = "accounts",
    params(("token" = String, Path, description = "Id of the token")),
    responses((status = 204, description = "Revoked"), Problems),
)]
pub async fn delete_token(
    State(state): State<AppState>,
    caller: Caller,
    Path(token): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    tokens::delete_token(&state.app, &caller, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
