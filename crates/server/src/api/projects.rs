//! `/api/v1/projects`: what people work in together.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query, Seen, etag};
use crate::{
    Shared,
    http::error::{Body, Changes, Pending, Problems},
};
use application::{
    access::Caller,
    clock::rfc3339,
    projects::{self, ProjectChanges, ProjectWithRole},
};

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectReply {
    /// Its id.
    id: String,
    /// What it is called.
    #[schema(example = "Web shop")]
    name: String,
    /// What you are in it: `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "owner")]
    role: &'static str,
    /// When it was made.
    created_at: String,
    /// Since when it is put away: nothing in it changes any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl ProjectReply {
    fn of(mine: ProjectWithRole) -> Self {
        ProjectReply {
            id: mine.project.id.to_string(),
            name: mine.project.name,
            role: mine.role.as_str(),
            created_at: rfc3339(mine.project.created_at),
            archived_at: mine.project.archived_at.map(rfc3339),
        }
    }
}

/// A project that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectBody {
    /// What it is called.
    #[schema(example = "Web shop")]
    name: String,
}

/// What is changed of a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProjectBody {
    /// What it is called.
    #[schema(example = "Web shop 2")]
    name: Option<String>,
    /// Put it away, or take it out again.
    archived: Option<bool>,
}

/// The projects that you may enter
#[utoipa::path(get, path = "/api/v1/projects", operation_id = "list_projects", tag = "projects", params(ListQuery), responses((status = 200, description = "A page of them", body = PageReply<ProjectReply>), Problems))]
pub async fn list_projects(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<ProjectReply>>, Pending> {
    let page = projects::list_projects(&shared.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::of(page, ProjectReply::of)))
}

/// Make a project
#[utoipa::path(post, path = "/api/v1/projects", operation_id = "create_project", tag = "projects", request_body = ProjectBody, responses((status = 201, description = "The project; you own it", body = ProjectReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn create_project(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ProjectBody>,
) -> Result<(StatusCode, HeaderMap, Json<ProjectReply>), Pending> {
    let mine = projects::create_project(&shared.app, &caller, &body.name).await?;
    Ok((StatusCode::CREATED, etag(mine.project.revision), Json(ProjectReply::of(mine))))
}

/// One project
#[utoipa::path(get, path = "/api/v1/projects/{project}", operation_id = "find_project", tag = "projects", params(("project" = String, Path, description = "Its id")), responses((status = 200, description = "The project", body = ProjectReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_project(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<(HeaderMap, Json<ProjectReply>), Pending> {
    let mine = projects::find_project(&shared.app, &caller, &project).await?;
    Ok((etag(mine.project.revision), Json(ProjectReply::of(mine))))
}

/// Change a project
#[utoipa::path(patch, path = "/api/v1/projects/{project}", operation_id = "update_project", tag = "projects", params(("project" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateProjectBody, responses((status = 200, description = "The project", body = ProjectReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_project(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateProjectBody>,
) -> Result<(HeaderMap, Json<ProjectReply>), Pending> {
    let changes = ProjectChanges { name: body.name, archived: body.archived };
    let mine = projects::update_project(&shared.app, &caller, &project, seen, &changes).await?;
    Ok((etag(mine.project.revision), Json(ProjectReply::of(mine))))
}
