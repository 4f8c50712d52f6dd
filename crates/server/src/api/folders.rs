//! Folders of a project.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Body, IfMatch, ListQuery, Query, double_option},
    reply::{PageReply, etag},
};
use crate::{
    http::error::{Changes, ProblemResponse, Problems},
    state::AppState,
};
use application::{
    Folder,
    access::Caller,
    clock::rfc3339,
    folders::{self, FolderChanges},
};

/// A folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct FolderReply {
    /// Id of the folder.
    id: String,
    /// Id of its project.
    project_id: String,
    /// Id of the parent folder. Absent at the top level.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// Name of the folder.
    #[schema(example = "Ordering")]
    name: String,
    /// When the folder was created.
    created_at: String,
    /// When the folder was last changed.
    updated_at: String,
}

impl FolderReply {
    fn with_etag(folder: Folder) -> (HeaderMap, Json<Self>) {
        (etag(folder.revision), Json(FolderReply::from(folder)))
    }
}

impl From<Folder> for FolderReply {
    fn from(folder: Folder) -> Self {
        FolderReply {
            id: folder.id.to_string(),
            project_id: folder.project_id.to_string(),
            parent_id: folder.parent_id.map(|id| id.to_string()),
            name: folder.name,
            created_at: rfc3339(folder.created_at),
            updated_at: rfc3339(folder.updated_at),
        }
    }
}

/// A folder to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderBody {
    /// Name, 1 to 100 characters. Unique in its parent folder, ignoring case.
    #[schema(example = "Ordering")]
    name: String,
    /// Id of the parent folder. Folders nest at most 8 levels deep.
    parent_id: Option<String>,
}

/// Changes to a folder.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFolderBody {
    /// The new name.
    #[schema(example = "Orders")]
    name: Option<String>,
    /// Id of the new parent folder. `null` moves the folder to the top level.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    parent_id: Option<Option<String>>,
}

/// List the folders of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/folders",
    tag = "diagrams",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses(
        (
            status = 200,
            description = "A page of folders at all levels, newest first",
            body = PageReply<FolderReply>,
        ),
        Problems,
    ),
)]
pub async fn list_folders(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<FolderReply>>, ProblemResponse> {
    let page = folders::list_folders(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, FolderReply::from)))
}

/// Create a folder
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/folders",
    tag = "diagrams",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = FolderBody,
    responses(
        (
            status = 201,
            description = "The folder",
            body = FolderReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn create_folder(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<FolderBody>,
) -> Result<(StatusCode, HeaderMap, Json<FolderReply>), ProblemResponse> {
    let inside = body.parent_id.as_deref();
    let made = folders::create_folder(&state.app, &caller, &project, &body.name, inside).await?;
    let (headers, reply) = FolderReply::with_etag(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// Get a folder
#[utoipa::path(
    get,
    path = "/api/v1/folders/{folder}",
    tag = "diagrams",
    params(("folder" = String, Path, description = "Id of the folder")),
    responses(
        (
            status = 200,
            description = "The folder",
            body = FolderReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_folder(
    State(state): State<AppState>,
    caller: Caller,
    Path(folder): Path<String>,
) -> Result<(HeaderMap, Json<FolderReply>), ProblemResponse> {
    Ok(FolderReply::with_etag(folders::find_folder(&state.app, &caller, &folder).await?))
}

/// Rename or move a folder
#[utoipa::path(
    patch,
    path = "/api/v1/folders/{folder}",
    tag = "diagrams",
    params(
        ("folder" = String, Path, description = "Id of the folder"),
        IfMatch,
    ),
    request_body = UpdateFolderBody,
    responses(
        (
            status = 200,
            description = "The folder",
            body = FolderReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_folder(
    State(state): State<AppState>,
    caller: Caller,
    Path(folder): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateFolderBody>,
) -> Result<(HeaderMap, Json<FolderReply>), ProblemResponse> {
    let changes = FolderChanges { name: body.name, parent_id: body.parent_id };
    Ok(FolderReply::with_etag(
        folders::update_folder(&state.app, &caller, &folder, revision, &changes).await?,
    ))
}

/// Delete an empty folder
#[utoipa::path(
    delete,
    path = "/api/v1/folders/{folder}",
    tag = "diagrams",
    params(("folder" = String, Path, description = "Id of the folder")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_folder(
    State(state): State<AppState>,
    caller: Caller,
    Path(folder): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    folders::delete_folder(&state.app, &caller, &folder).await?;
    Ok(StatusCode::NO_CONTENT)
}
