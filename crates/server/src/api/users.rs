//! `/api/v1/users`: users, for administrators of the server.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use llm::SecretString;
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
    User,
    access::Caller,
    accounts::users::{self, NewAccount, UserChanges},
    clock::rfc3339,
};

/// A user, as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserReply {
    /// Id of the user.
    id: String,
    /// E-mail address of the user.
    email: String,
    /// Name of the user.
    name: String,
    /// Whether the user is an administrator of the server.
    admin: bool,
    /// Whether the user is locked out.
    disabled: bool,
    /// When the user was created.
    created_at: String,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
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

/// A user to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// E-mail address of the user.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Name of the user.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// Password of the user. Without one, the answer has a link to set it.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Whether the user is an administrator of the server. Default: `false`.
    #[serde(default)]
    admin: bool,
}

/// A new user.
#[derive(Serialize, ToSchema)]
pub struct NewUserReply {
    /// The user.
    #[serde(flatten)]
    user: UserReply,
    /// Link to set the password; valid for one day, shown only once. Because it is shown here, using it does not verify
    /// the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Changes to a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUserBody {
    /// Whether the user is an administrator of the server.
    admin: Option<bool>,
    /// Whether the user is locked out.
    disabled: Option<bool>,
}

/// List the users of the server
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "administration",
    params(ListQuery),
    responses((status = 200, description = "A page of users", body = PageReply<UserReply>), Problems),
)]
pub async fn list_users(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<UserReply>>, ProblemResponse> {
    let page = users::list_users(&state.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, UserReply::from)))
}

/// Create a user
///
/// An administrator can only be created with a session, not with a token.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "administration",
    request_body = UserBody,
    responses((status = 201, description = "The user", body = NewUserReply), Problems),
)]
pub async fn create_user(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<UserBody>,
) -> Result<(StatusCode, Json<NewUserReply>), ProblemResponse> {
    let newcomer =
        NewAccount { email: body.email, name: body.name, password: body.password, admin: body.admin };
    let added = users::create_user(&state.app, &caller, newcomer).await?;
    Ok((StatusCode::CREATED, Json(NewUserReply { user: UserReply::from(added.person), link: added.link })))
}

/// Update a user
///
/// An administrator can only be appointed with a session, not with a token.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{user}",
    tag = "administration",
    params(("user" = String, Path, description = "Id of the user")),
    request_body = UpdateUserBody,
    responses((status = 200, description = "The user", body = UserReply), Problems),
)]
pub async fn update_user(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Body(body): Body<UpdateUserBody>,
) -> Result<Json<UserReply>, ProblemResponse> {
    let changes = UserChanges { admin: body.admin, disabled: body.disabled };
    Ok(Json(UserReply::from(users::update_user(&state.app, &caller, &user, &changes).await?)))
}
