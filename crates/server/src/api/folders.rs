//! Folders: the drawers of a project.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query, Seen, etag, said};
use crate::{
    Shared,
    http::error::{Body, Changes, Pending, Problems},
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
    /// Its id.
    id: String,
    /// Where it belongs.
    project_id: String,
    /// In which folder it lies; not there for an outermost one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// What it is called.
    #[schema(example = "Ordering")]
    name: String,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

impl FolderReply {
    fn of(folder: Folder) -> (HeaderMap, Json<Self>) {
        (etag(folder.revision), Json(FolderReply::line(folder)))
    }

    fn line(folder: Folder) -> Self {
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

/// A folder that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderBody {
    /// What it is called, 1 to 100 characters; once beside its neighbours, however it is capitalised.
    #[schema(example = "Ordering")]
    name: String,
    /// In which folder it lies; at most 8 lie in one another.
    parent_id: Option<String>,
}

/// What is changed of a folder.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFolderBody {
    /// What it is called.
    #[schema(example = "Orders")]
    name: Option<String>,
    /// In which folder it lies; `null` takes it out of the one it lies in.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    parent_id: Option<Option<String>>,
}

/// The folders of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/folders", operation_id = "list_folders", tag = "diagrams", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, last made first, whatever they lie in", body = PageReply<FolderReply>), Problems))]
pub async fn list_folders(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<FolderReply>>, Pending> {
    let page = folders::list_folders(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, FolderReply::line)))
}

/// Make a folder
#[utoipa::path(post, path = "/api/v1/projects/{project}/folders", operation_id = "create_folder", tag = "diagrams", params(("project" = String, Path, description = "Its id")), request_body = FolderBody, responses((status = 201, description = "The folder", body = FolderReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn create_folder(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<FolderBody>,
) -> Result<(StatusCode, HeaderMap, Json<FolderReply>), Pending> {
    let inside = body.parent_id.as_deref();
    let made = folders::create_folder(&shared.app, &caller, &project, &body.name, inside).await?;
    let (headers, reply) = FolderReply::of(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// One folder
#[utoipa::path(get, path = "/api/v1/folders/{folder}", operation_id = "find_folder", tag = "diagrams", params(("folder" = String, Path, description = "Its id")), responses((status = 200, description = "The folder", body = FolderReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_folder(
    State(shared): State<Shared>,
    caller: Caller,
    Path(folder): Path<String>,
) -> Result<(HeaderMap, Json<FolderReply>), Pending> {
    Ok(FolderReply::of(folders::find_folder(&shared.app, &caller, &folder).await?))
}

/// Rename or move a folder
#[utoipa::path(patch, path = "/api/v1/folders/{folder}", operation_id = "update_folder", tag = "diagrams", params(("folder" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateFolderBody, responses((status = 200, description = "The folder", body = FolderReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_folder(
    State(shared): State<Shared>,
    caller: Caller,
    Path(folder): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateFolderBody>,
) -> Result<(HeaderMap, Json<FolderReply>), Pending> {
    let changes = FolderChanges { name: body.name, parent_id: body.parent_id };
    Ok(FolderReply::of(folders::update_folder(&shared.app, &caller, &folder, seen, &changes).await?))
}

/// Take an empty folder away
#[utoipa::path(delete, path = "/api/v1/folders/{folder}", operation_id = "delete_folder", tag = "diagrams", params(("folder" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_folder(
    State(shared): State<Shared>,
    caller: Caller,
    Path(folder): Path<String>,
) -> Result<StatusCode, Pending> {
    folders::delete_folder(&shared.app, &caller, &folder).await?;
    Ok(StatusCode::NO_CONTENT)
}
