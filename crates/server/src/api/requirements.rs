//! Requirements, and the links from them to elements of diagrams.

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
    Requirement, RequirementVersion, TraceLink,
    access::Caller,
    clock::rfc3339,
    documents::Form,
    list_filters::{RequirementQuery, TraceLinkQuery},
    requirements::{self, RequirementChanges},
};

/// So large may a request be that brings a document. A Word document is a third larger in base64.
pub(super) const MAX_IMPORT_BYTES: usize = 8_000_000;

/// A requirement.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementReply {
    /// Its id.
    id: String,
    /// Where it belongs.
    project_id: String,
    /// What people call it by, from 1 in each project.
    #[schema(example = 7)]
    number: i64,
    /// Its words.
    #[schema(example = "A customer places orders.")]
    text: String,
    /// Number of its newest version.
    #[schema(example = 2)]
    version: i64,
    /// When it was first written.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// Since when it does not count any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl RequirementReply {
    fn of(requirement: Requirement) -> Self {
        RequirementReply {
            id: requirement.id.to_string(),
            project_id: requirement.project_id.to_string(),
            number: requirement.number,
            text: requirement.text,
            version: requirement.head_version,
            created_at: rfc3339(requirement.created_at),
            updated_at: rfc3339(requirement.updated_at),
            archived_at: requirement.archived_at.map(rfc3339),
        }
    }
}

/// One state of a requirement; it never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementVersionReply {
    /// 1 for the first, then up by one.
    number: i64,
    /// The words.
    text: String,
    /// Who wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
}

impl RequirementVersionReply {
    fn of(version: RequirementVersion) -> Self {
        RequirementVersionReply {
            number: version.number,
            text: version.text,
            created_by: version.created_by.map(|id| id.to_string()),
            created_at: rfc3339(version.created_at),
        }
    }
}

/// Which requirement an element comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceLinkReply {
    /// Its id.
    id: String,
    /// The requirement.
    requirement_id: String,
    /// The version of it that somebody looked at.
    requirement_version: i64,
    /// The diagram.
    diagram_id: String,
    /// The version of it that somebody looked at.
    diagram_version: i64,
    /// The element.
    #[schema(example = "Order")]
    element: String,
    /// What has changed since: `requirement`, `diagram` or `both`. Not there if nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspect: Option<String>,
    /// When it was made.
    created_at: String,
}

impl TraceLinkReply {
    fn of(link: TraceLink) -> Self {
        TraceLinkReply {
            id: link.id.to_string(),
            requirement_id: link.requirement_id.to_string(),
            requirement_version: link.requirement_version,
            diagram_id: link.diagram_id.to_string(),
            diagram_version: link.diagram_version,
            element: link.element,
            suspect: link.suspect,
            created_at: rfc3339(link.created_at),
        }
    }
}

/// A requirement that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementBody {
    /// Its words, 1 to 5,000 characters.
    #[schema(example = "A customer places orders.")]
    text: String,
}

/// A document with requirements.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// `text` (paragraphs), `markdown` (items of lists, and paragraphs), `csv` (the column `requirement`, `text` or
    /// `description`) or `docx` (a Word document: paragraphs, items of lists and cells of tables).
    #[schema(example = "markdown")]
    format: String,
    /// The document; a Word document in base64. The request may have 8 MB.
    #[schema(example = "- A customer places orders.\n- Each order has a number.")]
    content: String,
}

/// What is changed of a requirement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRequirementBody {
    /// Other words: a new version, which makes links to it suspect.
    #[schema(example = "A customer places and cancels orders.")]
    text: Option<String>,
    /// It does not count any more, or counts again.
    archived: Option<bool>,
}

/// A link that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceLinkBody {
    /// The id of the element.
    #[schema(example = "Order")]
    element: String,
    /// The requirement that it comes from.
    requirement_id: String,
}

/// Which requirements.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequirementsQuery {
    /// Words, or beginnings of words, of the text. A page may then have fewer entries than asked for although there are
    /// more.
    #[param(example = "order")]
    q: Option<String>,
    /// Those that do not count any more, instead of those that do.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
}

impl From<RequirementsQuery> for RequirementQuery {
    fn from(query: RequirementsQuery) -> Self {
        RequirementQuery { q: query.q, archived: query.archived }
    }
}

/// Which links.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LinksQuery {
    /// Only those of which a side has changed, or only those of which none has.
    #[param(value_type = Option<bool>)]
    suspect: Option<String>,
    /// Only those of this element.
    #[param(example = "Order")]
    element: Option<String>,
}

impl From<LinksQuery> for TraceLinkQuery {
    fn from(query: LinksQuery) -> Self {
        TraceLinkQuery { suspect: query.suspect, element: query.element }
    }
}

/// The requirements of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/requirements", operation_id = "list_requirements", tag = "requirements", params(("project" = String, Path, description = "Its id"), RequirementsQuery, ListQuery), responses((status = 200, description = "A page of them, highest number first", body = PageReply<RequirementReply>), Problems))]
pub async fn list_requirements(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(asked): Query<RequirementsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<RequirementReply>>, Pending> {
    let page =
        requirements::list_requirements(&shared.app, &caller, &project, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::of(page, RequirementReply::of)))
}

/// Write a requirement
#[utoipa::path(post, path = "/api/v1/projects/{project}/requirements", operation_id = "create_requirement", tag = "requirements", params(("project" = String, Path, description = "Its id")), request_body = RequirementBody, responses((status = 201, description = "It, with its number", body = [RequirementReply]), Problems))]
pub async fn create_requirement(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<RequirementBody>,
) -> Result<(StatusCode, Json<Vec<RequirementReply>>), Pending> {
    let made = requirements::create_requirements(&shared.app, &caller, &project, &[body.text]).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(RequirementReply::of).collect())))
}

/// Take requirements from a document
///
/// All of them or none.
#[utoipa::path(post, path = "/api/v1/projects/{project}/requirements/import", operation_id = "import_requirements", tag = "requirements", params(("project" = String, Path, description = "Its id")), request_body = ImportBody, responses((status = 201, description = "What was taken, in its order", body = [RequirementReply]), Problems))]
pub async fn import_requirements(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    body: Result<Body<ImportBody>, Pending>,
) -> Result<(StatusCode, Json<Vec<RequirementReply>>), Pending> {
    let Body(body) = body.map_err(|problem| {
        problem.if_too_large(
            "The document is too large: this request may have 8 MB, and in base64 that is a Word document of 6 MB. Remove its pictures, or send one chapter at a time.",
        )
    })?;
    let form = Form::parse(&body.format)?;
    let made = requirements::import_requirements(&shared.app, &caller, &project, form, body.content).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(RequirementReply::of).collect())))
}

/// One requirement
#[utoipa::path(get, path = "/api/v1/requirements/{requirement}", operation_id = "find_requirement", tag = "requirements", params(("requirement" = String, Path, description = "Its id")), responses((status = 200, description = "The requirement", body = RequirementReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_requirement(
    State(shared): State<Shared>,
    caller: Caller,
    Path(requirement): Path<String>,
) -> Result<(HeaderMap, Json<RequirementReply>), Pending> {
    let found = requirements::find_requirement(&shared.app, &caller, &requirement).await?;
    Ok((etag(found.revision), Json(RequirementReply::of(found))))
}

/// Change a requirement
#[utoipa::path(patch, path = "/api/v1/requirements/{requirement}", operation_id = "update_requirement", tag = "requirements", params(("requirement" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateRequirementBody, responses((status = 200, description = "The requirement", body = RequirementReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_requirement(
    State(shared): State<Shared>,
    caller: Caller,
    Path(requirement): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateRequirementBody>,
) -> Result<(HeaderMap, Json<RequirementReply>), Pending> {
    let changes = RequirementChanges { text: body.text, archived: body.archived };
    let changed =
        requirements::update_requirement(&shared.app, &caller, &requirement, seen, &changes).await?;
    Ok((etag(changed.revision), Json(RequirementReply::of(changed))))
}

/// The versions of a requirement
#[utoipa::path(get, path = "/api/v1/requirements/{requirement}/versions", operation_id = "list_requirement_versions", tag = "requirements", params(("requirement" = String, Path, description = "Its id")), responses((status = 200, description = "Newest first, at most 200", body = [RequirementVersionReply]), Problems))]
pub async fn list_requirement_versions(
    State(shared): State<Shared>,
    caller: Caller,
    Path(requirement): Path<String>,
) -> Result<Json<Vec<RequirementVersionReply>>, Pending> {
    let versions = requirements::list_requirement_versions(&shared.app, &caller, &requirement).await?;
    Ok(Json(versions.into_iter().map(RequirementVersionReply::of).collect()))
}

/// The links of a diagram
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}/trace-links", operation_id = "list_trace_links", tag = "requirements", params(("diagram" = String, Path, description = "Its id"), LinksQuery, ListQuery), responses((status = 200, description = "A page of them, newest first", body = PageReply<TraceLinkReply>), Problems))]
pub async fn list_trace_links(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(asked): Query<LinksQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TraceLinkReply>>, Pending> {
    let page =
        requirements::list_trace_links(&shared.app, &caller, &diagram, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::of(page, TraceLinkReply::of)))
}

/// Link an element to a requirement
#[utoipa::path(post, path = "/api/v1/diagrams/{diagram}/trace-links", operation_id = "create_trace_link", tag = "requirements", params(("diagram" = String, Path, description = "Its id")), request_body = TraceLinkBody, responses((status = 201, description = "The link, of both as they are now", body = TraceLinkReply), Problems))]
pub async fn create_trace_link(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Body(body): Body<TraceLinkBody>,
) -> Result<(StatusCode, Json<TraceLinkReply>), Pending> {
    let link =
        requirements::create_trace_link(&shared.app, &caller, &diagram, &body.element, &body.requirement_id)
            .await?;
    Ok((StatusCode::CREATED, Json(TraceLinkReply::of(link))))
}

/// Say that both sides of a link fit as they are now
#[utoipa::path(post, path = "/api/v1/trace-links/{link}/confirm", operation_id = "confirm_trace_link", tag = "requirements", params(("link" = String, Path, description = "Its id")), responses((status = 200, description = "The link, not suspect any more", body = TraceLinkReply), Problems))]
pub async fn confirm_trace_link(
    State(shared): State<Shared>,
    caller: Caller,
    Path(link): Path<String>,
) -> Result<Json<TraceLinkReply>, Pending> {
    let link = requirements::confirm_trace_link(&shared.app, &caller, &link).await?;
    Ok(Json(TraceLinkReply::of(link)))
}

/// Take a link away
#[utoipa::path(delete, path = "/api/v1/trace-links/{link}", operation_id = "delete_trace_link", tag = "requirements", params(("link" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_trace_link(
    State(shared): State<Shared>,
    caller: Caller,
    Path(link): Path<String>,
) -> Result<StatusCode, Pending> {
    requirements::delete_trace_link(&shared.app, &caller, &link).await?;
    Ok(StatusCode::NO_CONTENT)
}
