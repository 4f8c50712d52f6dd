//! Members of a project, and invitations.

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
use application::{Invitation, Member, access::Caller, clock::rfc3339, members};

/// A member of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberReply {
    /// Id of the user.
    user_id: String,
    /// Name of the user.
    name: String,
    /// E-mail address of the user.
    email: String,
    /// `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "editor")]
    role: &'static str,
    /// When the user joined the project.
    created_at: String,
}

impl From<Member> for MemberReply {
    fn from(member: Member) -> Self {
        MemberReply {
            user_id: member.user_id.to_string(),
            name: member.name,
            email: member.email,
            role: member.role.as_str(),
            created_at: rfc3339(member.created_at),
        }
    }
}

/// The role of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "reviewer")]
    role: String,
}

/// List the members of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/members",
    tag = "members",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses((status = 200, description = "A page of members", body = PageReply<MemberReply>), Problems),
)]
pub async fn list_members(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<MemberReply>>, ProblemResponse> {
    let page = members::list_members(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, MemberReply::from)))
}

/// Change the role of a member
#[utoipa::path(
    put,
    path = "/api/v1/projects/{project}/members/{user}",
    tag = "members",
    params(
        ("project" = String, Path, description = "Id of the project"),
        ("user" = String, Path, description = "Id of the user"),
    ),
    request_body = RoleBody,
    responses((status = 204, description = "Changed"), Problems),
)]
pub async fn update_member(
    State(state): State<AppState>,
    caller: Caller,
    Path((project, user)): Path<(String, String)>,
    Body(body): Body<RoleBody>,
) -> Result<StatusCode, ProblemResponse> {
    members::update_member(&state.app, &caller, &project, &user, &body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a member, or leave a project
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/members/{user}",
    tag = "members",
    params(
        ("project" = String, Path, description = "Id of the project"),
        ("user" = String, Path, description = "Id of the user"),
    ),
    responses((status = 204, description = "Removed"), Problems),
)]
pub async fn delete_member(
    State(state): State<AppState>,
    caller: Caller,
    Path((project, user)): Path<(String, String)>,
) -> Result<StatusCode, ProblemResponse> {
    members::delete_member(&state.app, &caller, &project, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation, without its link.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationReply {
    /// Id of the invitation.
    id: String,
    /// E-mail address of the invited person.
    #[schema(example = "grace@example.com")]
    email: String,
    /// Role that the person gets.
    #[schema(example = "editor")]
    role: &'static str,
    /// When the invitation was created.
    created_at: String,
    /// When the invitation expires.
    expires_at: String,
}

impl From<Invitation> for InvitationReply {
    fn from(invitation: Invitation) -> Self {
        InvitationReply {
            id: invitation.id.to_string(),
            email: invitation.email,
            role: invitation.role.as_str(),
            created_at: rfc3339(invitation.created_at),
            expires_at: rfc3339(invitation.expires_at),
        }
    }
}

/// An invitation to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    /// E-mail address of the person to invite.
    #[schema(example = "grace@example.com")]
    email: String,
    /// `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "editor")]
    role: String,
}

/// A new invitation.
#[derive(Serialize, ToSchema)]
pub struct NewInvitationReply {
    /// The invitation.
    #[serde(flatten)]
    invitation: InvitationReply,
    /// Link to accept the invitation, to pass on in another way; shown only once. The message has another link, and
    /// only that one verifies the e-mail address: an account created with this link is not verified, and none is
    /// created where `oidc.sign_up` or `oidc.email_domains` forbids it.
    link: String,
    /// Whether the message with the link was sent.
    sent: bool,
}

/// List the open invitations of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/invitations",
    tag = "members",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses((status = 200, description = "A page of invitations", body = PageReply<InvitationReply>), Problems),
)]
pub async fn list_invitations(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<InvitationReply>>, ProblemResponse> {
    let page = members::list_invitations(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, InvitationReply::from)))
}

/// Invite a person to a project
///
/// The invitation becomes invalid when you lose the right to invite: when you are disabled, leave the project, or are
/// no longer an owner of it.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/invitations",
    tag = "members",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = InvitationBody,
    responses((status = 201, description = "The invitation, with its link", body = NewInvitationReply), Problems),
)]
pub async fn create_invitation(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<InvitationBody>,
) -> Result<(StatusCode, Json<NewInvitationReply>), ProblemResponse> {
    let invited = members::create_invitation(&state.app, &caller, &project, &body.email, &body.role).await?;
    let reply = NewInvitationReply {
        invitation: InvitationReply::from(invited.invitation),
        link: invited.link,
        sent: invited.sent,
    };
    Ok((StatusCode::CREATED, Json(reply)))
}

/// Revoke an invitation
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/invitations/{invitation}",
    tag = "members",
    params(
        ("project" = String, Path, description = "Id of the project"),
        ("invitation" = String, Path, description = "Id of the invitation"),
    ),
    responses((status = 204, description = "Revoked"), Problems),
)]
pub async fn delete_invitation(
    State(state): State<AppState>,
    caller: Caller,
    Path((project, invitation)): Path<(String, String)>,
) -> Result<StatusCode, ProblemResponse> {
    members::delete_invitation(&state.app, &caller, &project, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation to accept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// The parameter `code` of the link.
    code: String,
}

/// The project that you joined.
#[derive(Serialize, ToSchema)]
pub struct AcceptReply {
    /// Id of the project.
    project_id: String,
}

/// Accept an invitation
#[utoipa::path(
    post,
    path = "/api/v1/invitations/accept",
    tag = "members",
    request_body = AcceptBody,
    responses((status = 200, description = "The project that you joined", body = AcceptReply), Problems),
)]
pub async fn accept_invitation(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<AcceptBody>,
) -> Result<Json<AcceptReply>, ProblemResponse> {
    let accepted = members::accept_invitation(&state.app, &caller, &body.code).await?;
    Ok(Json(AcceptReply { project_id: accepted.project_id.to_string() }))
}
