//! `/api/v1/projects`.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Body, IfMatch, ListQuery, Query},
    reply::{PageReply, etag},
};
use crate::{
    http::error::{Changes, ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::Caller,
    clock::rfc3339,
    projects::{self, ProjectChanges, ProjectWithRole},
};

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectReply {
    /// Id of the project.
    id: String,
    /// Name of the project.
    #[schema(example = "Web shop")]
    name: String,
    /// Your role: `viewer`, `reviewer`, `editor` or `owner`.
    #[schema(example = "owner")]
    role: &'static str,
    /// When the project was created.
    created_at: String,
    /// When the project was archived, which makes it read-only. Absent if it is not archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl From<ProjectWithRole> for ProjectReply {
    fn from(mine: ProjectWithRole) -> Self {
        ProjectReply {
            id: mine.project.id.to_string(),
            name: mine.project.name,
            role: mine.role.as_str(),
            created_at: rfc3339(mine.project.created_at),
            archived_at: mine.project.archived_at.map(rfc3339),
        }
    }
}

/// A project to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectBody {
    /// Name of the project.
    #[schema(example = "Web shop")]
    name: String,
}

/// Changes to a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProjectBody {
    /// The new name.
    #[schema(example = "Web shop 2")]
    name: Option<String>,
    /// `true` archives the project, `false` restores it.
    archived: Option<bool>,
}

/// List your projects
#[utoipa::path(
    get,
    path = "/api/v1/projects",
    tag = "projects",
    params(ListQuery),
    responses((status = 200, description = "A page of projects", body = PageReply<ProjectReply>), Problems),
)]
pub async fn list_projects(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<ProjectReply>>, ProblemResponse> {
    let page = projects::list_projects(&state.app, &caller, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, ProjectReply::from)))
}

/// Create a project
#[utoipa::path(
    post,
    path = "/api/v1/projects",
    tag = "projects",
    request_body = ProjectBody,
    responses(
        (
            status = 201,
            description = "The project; you are its owner",
            body = ProjectReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn create_project(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ProjectBody>,
) -> Result<(StatusCode, HeaderMap, Json<ProjectReply>), ProblemResponse> {
    let mine = projects::create_project(&state.app, &caller, &body.name).await?;
    Ok((StatusCode::CREATED, etag(mine.project.revision), Json(ProjectReply::from(mine))))
}

/// Get a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project")),
    responses(
        (
            status = 200,
            description = "The project",
            body = ProjectReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_project(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<(HeaderMap, Json<ProjectReply>), ProblemResponse> {
    let mine = projects::find_project(&state.app, &caller, &project).await?;
    Ok((etag(mine.project.revision), Json(ProjectReply::from(mine))))
}

/// Rename, archive or restore a project
#[utoipa::path(
    patch,
    path = "/api/v1/projects/{project}",
    tag = "projects",
    params(
        ("project" = String, Path, description = "Id of the project"),
        IfMatch,
    ),
    request_body = UpdateProjectBody,
    responses(
        (
            status = 200,
            description = "The project",
            body = ProjectReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_project(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateProjectBody>,
) -> Result<(HeaderMap, Json<ProjectReply>), ProblemResponse> {
    let changes = ProjectChanges { name: body.name, archived: body.archived };
    let mine = projects::update_project(&state.app, &caller, &project, revision, &changes).await?;
    Ok((etag(mine.project.revision), Json(ProjectReply::from(mine))))
}
