//! `/api/v1/users`: for those who run the server.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query};
use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{
    User,
    access::Caller,
    accounts::users::{self, NewAccount, UserChanges},
    clock::rfc3339,
};

/// Somebody, as those see them who run the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserReply {
    /// Their id.
    id: String,
    /// Their e-mail address.
    email: String,
    /// What they are called.
    name: String,
    /// They run the server.
    admin: bool,
    /// They may not come in.
    disabled: bool,
    /// Since when they are here.
    created_at: String,
}

impl UserReply {
    fn of(user: User) -> Self {
        UserReply {
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            admin: user.admin,
            disabled: user.disabled_at.is_some(),
            created_at: rfc3339(user.created_at),
        }
    }
}

/// Somebody who is to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// Their e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// What they are called.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// Their password; without one, the answer has a link with which they choose it.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// They run the server too.
    #[serde(default)]
    admin: bool,
}

/// Somebody new.
#[derive(Serialize, ToSchema)]
pub struct NewUserReply {
    /// Who.
    #[serde(flatten)]
    user: UserReply,
    /// Where they choose their password; good for a day, shown this once. Because it is shown, following it proves no e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// What is changed of somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUserBody {
    /// They run the server.
    admin: Option<bool>,
    /// They may not come in.
    disabled: Option<bool>,
}

/// Everybody
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "administration", params(ListQuery), responses((status = 200, description = "A page of them", body = PageReply<UserReply>), Problems))]
pub async fn list_users(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<UserReply>>, Pending> {
    let page = users::list_users(&shared.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::of(page, UserReply::of)))
}

/// Add somebody
///
/// With a token, nobody is made an administrator.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "administration", request_body = UserBody, responses((status = 201, description = "They are here", body = NewUserReply), Problems))]
pub async fn create_user(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<UserBody>,
) -> Result<(StatusCode, Json<NewUserReply>), Pending> {
    let newcomer =
        NewAccount { email: body.email, name: body.name, password: body.password, admin: body.admin };
    let added = users::create_user(&shared.app, &caller, newcomer).await?;
    Ok((StatusCode::CREATED, Json(NewUserReply { user: UserReply::of(added.person), link: added.link })))
}

/// Change what somebody may do
///
/// With a token, nobody is made an administrator.
#[utoipa::path(patch, path = "/api/v1/users/{user}", operation_id = "update_user", tag = "administration", params(("user" = String, Path, description = "Their id")), request_body = UpdateUserBody, responses((status = 200, description = "Changed", body = UserReply), Problems))]
pub async fn update_user(
    State(shared): State<Shared>,
    caller: Caller,
    Path(user): Path<String>,
    Body(body): Body<UpdateUserBody>,
) -> Result<Json<UserReply>, Pending> {
    let changes = UserChanges { admin: body.admin, disabled: body.disabled };
    Ok(Json(UserReply::of(users::update_user(&shared.app, &caller, &user, &changes).await?)))
}
