//! Members of a project, and invitations to it.

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
use application::{Invitation, Member, access::Caller, clock::rfc3339, members};

/// Somebody in a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberReply {
    /// Their id.
    user_id: String,
    /// What they are called.
    name: String,
    /// Their e-mail address.
    email: String,
    /// What they are.
    #[schema(example = "editor")]
    role: &'static str,
    /// Since when.
    created_at: String,
}

impl MemberReply {
    fn of(member: Member) -> Self {
        MemberReply {
            user_id: member.user_id.to_string(),
            name: member.name,
            email: member.email,
            role: member.role.as_str(),
            created_at: rfc3339(member.created_at),
        }
    }
}

/// What somebody is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "reviewer")]
    role: String,
}

/// Who is in a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/members", operation_id = "list_members", tag = "members", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them", body = PageReply<MemberReply>), Problems))]
pub async fn list_members(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<MemberReply>>, Pending> {
    let page = members::list_members(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, MemberReply::of)))
}

/// Change what a member is
#[utoipa::path(put, path = "/api/v1/projects/{project}/members/{user}", operation_id = "update_member", tag = "members", params(("project" = String, Path, description = "Its id"), ("user" = String, Path, description = "Whose")), request_body = RoleBody, responses((status = 204, description = "Changed"), Problems))]
pub async fn update_member(
    State(shared): State<Shared>,
    caller: Caller,
    Path((project, user)): Path<(String, String)>,
    Body(body): Body<RoleBody>,
) -> Result<StatusCode, Pending> {
    members::update_member(&shared.app, &caller, &project, &user, &body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a member in no more, or leave
#[utoipa::path(delete, path = "/api/v1/projects/{project}/members/{user}", operation_id = "delete_member", tag = "members", params(("project" = String, Path, description = "Its id"), ("user" = String, Path, description = "Who")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_member(
    State(shared): State<Shared>,
    caller: Caller,
    Path((project, user)): Path<(String, String)>,
) -> Result<StatusCode, Pending> {
    members::delete_member(&shared.app, &caller, &project, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation, without its link.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationReply {
    /// Its id.
    id: String,
    /// Who was asked.
    #[schema(example = "grace@example.com")]
    email: String,
    /// As what.
    #[schema(example = "editor")]
    role: &'static str,
    /// When.
    created_at: String,
    /// Until when it is good.
    expires_at: String,
}

impl InvitationReply {
    fn of(invitation: Invitation) -> Self {
        InvitationReply {
            id: invitation.id.to_string(),
            email: invitation.email,
            role: invitation.role.as_str(),
            created_at: rfc3339(invitation.created_at),
            expires_at: rfc3339(invitation.expires_at),
        }
    }
}

/// Who is asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    /// Their e-mail address.
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
    /// Where to follow it, to hand over another way; shown this once. The message has another link, which alone proves the e-mail address: an
    /// account made with this one is not verified, and none is made where `oidc.sign_up` or `oidc.email_domains` forbids it.
    link: String,
    /// The message with the link was sent.
    sent: bool,
}

/// Who was asked and has not come yet
#[utoipa::path(get, path = "/api/v1/projects/{project}/invitations", operation_id = "list_invitations", tag = "members", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them", body = PageReply<InvitationReply>), Problems))]
pub async fn list_invitations(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<InvitationReply>>, Pending> {
    let page = members::list_invitations(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, InvitationReply::of)))
}

/// Ask somebody to come
///
/// The invitation ends with your right to invite: when you are disabled, leave the project, or are no owner of it any more.
#[utoipa::path(post, path = "/api/v1/projects/{project}/invitations", operation_id = "create_invitation", tag = "members", params(("project" = String, Path, description = "Its id")), request_body = InvitationBody, responses((status = 201, description = "Asked", body = NewInvitationReply), Problems))]
pub async fn create_invitation(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<InvitationBody>,
) -> Result<(StatusCode, Json<NewInvitationReply>), Pending> {
    let invited = members::create_invitation(&shared.app, &caller, &project, &body.email, &body.role).await?;
    let reply = NewInvitationReply {
        invitation: InvitationReply::of(invited.invitation),
        link: invited.link,
        sent: invited.sent,
    };
    Ok((StatusCode::CREATED, Json(reply)))
}

/// Take an invitation back
#[utoipa::path(delete, path = "/api/v1/projects/{project}/invitations/{invitation}", operation_id = "delete_invitation", tag = "members", params(("project" = String, Path, description = "Its id"), ("invitation" = String, Path, description = "Which")), responses((status = 204, description = "It is not good any more"), Problems))]
pub async fn delete_invitation(
    State(shared): State<Shared>,
    caller: Caller,
    Path((project, invitation)): Path<(String, String)>,
) -> Result<StatusCode, Pending> {
    members::delete_invitation(&shared.app, &caller, &project, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The link of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// `code` of the link.
    code: String,
}

/// Where you have come to.
#[derive(Serialize, ToSchema)]
pub struct AcceptReply {
    /// The project that you may enter now.
    project_id: String,
}

/// Follow an invitation
#[utoipa::path(post, path = "/api/v1/invitations/accept", operation_id = "accept_invitation", tag = "members", request_body = AcceptBody, responses((status = 200, description = "You are in", body = AcceptReply), Problems))]
pub async fn accept_invitation(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<AcceptBody>,
) -> Result<Json<AcceptReply>, Pending> {
    let accepted = members::accept_invitation(&shared.app, &caller, &body.code).await?;
    Ok(Json(AcceptReply { project_id: accepted.project_id.to_string() }))
}
