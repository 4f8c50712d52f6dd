//! Requirements, and trace links from requirements to diagram elements.

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
    Requirement, RequirementVersion, TraceLink,
    access::Caller,
    clock::rfc3339,
    documents::Form,
    list_filters::{RequirementQuery, TraceLinkQuery},
    requirements::{self, RequirementChanges},
};

/// The limit of an import request. Base64 makes a Word document a third larger.
pub(super) const MAX_IMPORT_BYTES: usize = 8_000_000;

/// A requirement.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementReply {
    /// Id of the requirement.
    id: String,
    /// Id of its project.
    project_id: String,
    /// Number of the requirement in its project, from 1.
    #[schema(example = 7)]
    number: i64,
    /// Text of the requirement.
    #[schema(example = "A customer places orders.")]
    text: String,
    /// Number of the newest version.
    #[schema(example = 2)]
    version: i64,
    /// When the requirement was created.
    created_at: String,
    /// When the requirement was last changed.
    updated_at: String,
    /// When the requirement was archived. Absent if it is not archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl From<Requirement> for RequirementReply {
    fn from(requirement: Requirement) -> Self {
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

/// A version of a requirement. Versions are immutable.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementVersionReply {
    /// Number of the version, from 1.
    number: i64,
    /// Text of the version.
    text: String,
    /// Id of the user who created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When the version was created.
    created_at: String,
}

impl From<RequirementVersion> for RequirementVersionReply {
    fn from(version: RequirementVersion) -> Self {
        RequirementVersionReply {
            number: version.number,
            text: version.text,
            created_by: version.created_by.map(|id| id.to_string()),
            created_at: rfc3339(version.created_at),
        }
    }
}

/// A link from a requirement to an element of a diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceLinkReply {
    /// Id of the trace link.
    id: String,
    /// Id of the requirement.
    requirement_id: String,
    /// Version of the requirement that the link was confirmed for.
    requirement_version: i64,
    /// Id of the diagram.
    diagram_id: String,
    /// Version of the diagram that the link was confirmed for.
    diagram_version: i64,
    /// Id of the element.
    #[schema(example = "Order")]
    element: String,
    /// What has changed since the link was confirmed: `requirement`, `diagram` or `both`. Absent if nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspect: Option<String>,
    /// When the trace link was created.
    created_at: String,
}

impl From<TraceLink> for TraceLinkReply {
    fn from(link: TraceLink) -> Self {
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

/// A requirement to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementBody {
    /// Text of the requirement, 1 to 5,000 characters.
    #[schema(example = "A customer places orders.")]
    text: String,
}

/// A document with requirements.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// `text` (paragraphs), `markdown` (list items and paragraphs), `csv` (the column `requirement`, `text` or
    /// `description`) or `docx` (Word: paragraphs, list items and table cells).
    #[schema(example = "markdown")]
    format: String,
    /// The document; a Word document in base64. The request may have up to 8 MB.
    #[schema(example = "- A customer places orders.\n- Each order has a number.")]
    content: String,
}

/// Changes to a requirement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRequirementBody {
    /// The new text. It becomes a new version, which makes trace links to the requirement suspect.
    #[schema(example = "A customer places and cancels orders.")]
    text: Option<String>,
    /// `true` archives the requirement, `false` restores it.
    archived: Option<bool>,
}

/// A trace link to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceLinkBody {
    /// Id of the element.
    #[schema(example = "Order")]
    element: String,
    /// Id of the requirement.
    requirement_id: String,
}

/// Filters of a list of requirements.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequirementsQuery {
    /// Words of the text, or their beginnings. A page may then have fewer than `limit` entries although more follow.
    #[param(example = "order")]
    q: Option<String>,
    /// `true`: only archived requirements. Default: only requirements that are not archived.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
}

impl From<RequirementsQuery> for RequirementQuery {
    fn from(query: RequirementsQuery) -> Self {
        RequirementQuery { q: query.q, archived: query.archived }
    }
}

/// Filters of a list of trace links.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LinksQuery {
    /// `true`: only suspect links. `false`: only links that are not suspect.
    #[param(value_type = Option<bool>)]
    suspect: Option<String>,
    /// Only links of this element.
    #[param(example = "Order")]
    element: Option<String>,
}

impl From<LinksQuery> for TraceLinkQuery {
    fn from(query: LinksQuery) -> Self {
        TraceLinkQuery { suspect: query.suspect, element: query.element }
    }
}

/// List the requirements of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/requirements",
    tag = "requirements",
    params(("project" = String, Path, description = "Id of the project"), RequirementsQuery, ListQuery),
    responses(
        (
            status = 200,
            description = "A page of requirements, highest number first",
            body = PageReply<RequirementReply>,
        ),
        Problems,
    ),
)]
pub async fn list_requirements(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(asked): Query<RequirementsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<RequirementReply>>, ProblemResponse> {
    let page =
        requirements::list_requirements(&state.app, &caller, &project, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::from_page(page, RequirementReply::from)))
}

/// Create a requirement
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/requirements",
    tag = "requirements",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = RequirementBody,
    responses((status = 201, description = "The requirement, with its number", body = [RequirementReply]), Problems),
)]
pub async fn create_requirement(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<RequirementBody>,
) -> Result<(StatusCode, Json<Vec<RequirementReply>>), ProblemResponse> {
    let made = requirements::create_requirements(&state.app, &caller, &project, &[body.text]).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(RequirementReply::from).collect())))
}

/// Import requirements from a document
///
/// Imports all requirements of the document or none.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/requirements/import",
    tag = "requirements",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = ImportBody,
    responses(
        (
            status = 201,
            description = "The imported requirements, in the order of the document",
            body = [RequirementReply],
        ),
        Problems,
    ),
)]
pub async fn import_requirements(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    body: Result<Body<ImportBody>, ProblemResponse>,
) -> Result<(StatusCode, Json<Vec<RequirementReply>>), ProblemResponse> {
    let Body(body) = body.map_err(|problem| {
        problem.if_too_large(
            "The document is too large: this request may have 8 MB, and in base64 that is a Word document of 6 MB. \
             Remove its pictures, or send one chapter at a time.",
        )
    })?;
    let form = Form::parse(&body.format)?;
    let made = requirements::import_requirements(&state.app, &caller, &project, form, body.content).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(RequirementReply::from).collect())))
}

/// Get a requirement
#[utoipa::path(
    get,
    path = "/api/v1/requirements/{requirement}",
    tag = "requirements",
    params(("requirement" = String, Path, description = "Id of the requirement")),
    responses(
        (
            status = 200,
            description = "The requirement",
            body = RequirementReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_requirement(
    State(state): State<AppState>,
    caller: Caller,
    Path(requirement): Path<String>,
) -> Result<(HeaderMap, Json<RequirementReply>), ProblemResponse> {
    let found = requirements::find_requirement(&state.app, &caller, &requirement).await?;
    Ok((etag(found.revision), Json(RequirementReply::from(found))))
}

/// Update, archive or restore a requirement
#[utoipa::path(
    patch,
    path = "/api/v1/requirements/{requirement}",
    tag = "requirements",
    params(
        ("requirement" = String, Path, description = "Id of the requirement"),
        IfMatch,
    ),
    request_body = UpdateRequirementBody,
    responses(
        (
            status = 200,
            description = "The requirement",
            body = RequirementReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_requirement(
    State(state): State<AppState>,
    caller: Caller,
    Path(requirement): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateRequirementBody>,
) -> Result<(HeaderMap, Json<RequirementReply>), ProblemResponse> {
    let changes = RequirementChanges { text: body.text, archived: body.archived };
    let changed =
        requirements::update_requirement(&state.app, &caller, &requirement, revision, &changes).await?;
    Ok((etag(changed.revision), Json(RequirementReply::from(changed))))
}

/// List the versions of a requirement
#[utoipa::path(
    get,
    path = "/api/v1/requirements/{requirement}/versions",
    tag = "requirements",
    params(("requirement" = String, Path, description = "Id of the requirement")),
    responses(
        (status = 200, description = "The versions, newest first, at most 200", body = [RequirementVersionReply]),
        Problems,
    ),
)]
pub async fn list_requirement_versions(
    State(state): State<AppState>,
    caller: Caller,
    Path(requirement): Path<String>,
) -> Result<Json<Vec<RequirementVersionReply>>, ProblemResponse> {
    let versions = requirements::list_requirement_versions(&state.app, &caller, &requirement).await?;
    Ok(Json(versions.into_iter().map(RequirementVersionReply::from).collect()))
}

/// List the trace links of a diagram
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}/trace-links",
    tag = "requirements",
    params(("diagram" = String, Path, description = "Id of the diagram"), LinksQuery, ListQuery),
    responses(
        (status = 200, description = "A page of trace links, newest first", body = PageReply<TraceLinkReply>),
        Problems,
    ),
)]
pub async fn list_trace_links(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(asked): Query<LinksQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TraceLinkReply>>, ProblemResponse> {
    let page =
        requirements::list_trace_links(&state.app, &caller, &diagram, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::from_page(page, TraceLinkReply::from)))
}

/// Link a diagram element to a requirement
#[utoipa::path(
    post,
    path = "/api/v1/diagrams/{diagram}/trace-links",
    tag = "requirements",
    params(("diagram" = String, Path, description = "Id of the diagram")),
    request_body = TraceLinkBody,
    responses(
        (status = 201, description = "The trace link, to the newest version of both", body = TraceLinkReply),
        Problems,
    ),
)]
pub async fn create_trace_link(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Body(body): Body<TraceLinkBody>,
) -> Result<(StatusCode, Json<TraceLinkReply>), ProblemResponse> {
    let link =
        requirements::create_trace_link(&state.app, &caller, &diagram, &body.element, &body.requirement_id)
            .await?;
    Ok((StatusCode::CREATED, Json(TraceLinkReply::from(link))))
}

/// Confirm a trace link
///
/// Records that the element and the requirement match in their newest versions.
#[utoipa::path(
    post,
    path = "/api/v1/trace-links/{link}/confirm",
    tag = "requirements",
    params(("link" = String, Path, description = "Id of the trace link")),
    responses((status = 200, description = "The trace link, no longer suspect", body = TraceLinkReply), Problems),
)]
pub async fn confirm_trace_link(
    State(state): State<AppState>,
    caller: Caller,
    Path(link): Path<String>,
) -> Result<Json<TraceLinkReply>, ProblemResponse> {
    let link = requirements::confirm_trace_link(&state.app, &caller, &link).await?;
    Ok(Json(TraceLinkReply::from(link)))
}

/// Delete a trace link
#[utoipa::path(
    delete,
    path = "/api/v1/trace-links/{link}",
    tag = "requirements",
    params(("link" = String, Path, description = "Id of the trace link")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_trace_link(
    State(state): State<AppState>,
    caller: Caller,
    Path(link): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    requirements::delete_trace_link(&state.app, &caller, &link).await?;
    Ok(StatusCode::NO_CONTENT)
}
