//! Stored diagrams and their versions.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    Diagram, JsonText, Version, VersionSummary,
    access::Caller,
    clock::rfc3339,
    diagrams::{self, DiagramChanges, DiagramInput},
    list_filters::DiagramQuery,
};

/// A diagram, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredDiagramReply {
    /// Id of the diagram.
    id: String,
    /// Id of its project.
    project_id: String,
    /// Kind of the diagram.
    #[schema(example = "class")]
    kind: String,
    /// Title of the diagram.
    title: String,
    /// Id of its folder. Absent outside folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_id: Option<String>,
    /// Number of the newest version.
    #[schema(example = 3)]
    version: u32,
    /// When the diagram was created.
    created_at: String,
    /// When the diagram was last changed.
    updated_at: String,
    /// When the diagram was archived. Absent if it is not archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl From<Diagram> for StoredDiagramReply {
    fn from(diagram: Diagram) -> Self {
        StoredDiagramReply {
            id: diagram.id.to_string(),
            project_id: diagram.project_id.to_string(),
            kind: diagram.kind,
            title: diagram.title,
            folder_id: diagram.folder_id.map(|id| id.to_string()),
            version: diagram.head_version,
            created_at: rfc3339(diagram.created_at),
            updated_at: rfc3339(diagram.updated_at),
            archived_at: diagram.archived_at.map(rfc3339),
        }
    }
}

/// A version of a diagram. Versions are immutable.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionReply {
    /// Id of the version.
    id: String,
    /// Number of the version, from 1.
    #[schema(example = 3)]
    number: u32,
    /// The Mermaid text.
    #[schema(example = "classDiagram\n    class Order")]
    code: String,
    /// Whether Mermaid's own parser accepts exactly this text.
    validated: bool,
    /// The requirement text that the diagram was made from.
    requirement: String,
    /// The typed model of the diagram. Absent if the text cannot be read as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    blueprint: Option<Value>,
    /// Findings in the text.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// The source words of each element.
    #[schema(value_type = Vec<Object>)]
    trace: Value,
    /// The author's note about this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Id of the generation that wrote it. Absent if a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_id: Option<String>,
    /// Id of the user who created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When the version was created.
    created_at: String,
}

impl From<Version> for VersionReply {
    fn from(version: Version) -> Self {
        // The columns hold valid JSON.
        let json = |text: &JsonText| text.decode::<Value>().unwrap_or_default();
        VersionReply {
            id: version.id.to_string(),
            number: version.number,
            code: version.mermaid,
            validated: version.validated,
            requirement: version.requirement,
            blueprint: version.blueprint.as_ref().map(json),
            findings: json(&version.findings),
            trace: json(&version.trace),
            note: version.note,
            generation_id: version.generation_id.map(|id| id.to_string()),
            created_by: version.created_by.map(|id| id.to_string()),
            created_at: rfc3339(version.created_at),
        }
    }
}

/// A version in a list, without its texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionLine {
    /// Id of the version.
    id: String,
    /// Number of the version, from 1.
    number: u32,
    /// Whether Mermaid's own parser accepts its text.
    validated: bool,
    /// The author's note about this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Id of the user who created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When the version was created.
    created_at: String,
}

impl From<VersionSummary> for VersionLine {
    fn from(version: VersionSummary) -> Self {
        VersionLine {
            id: version.id.to_string(),
            number: version.number,
            validated: version.validated,
            note: version.note,
            created_by: version.created_by.map(|id| id.to_string()),
            created_at: rfc3339(version.created_at),
        }
    }
}

/// A diagram and its newest version.
#[derive(Serialize, ToSchema)]
pub struct OpenDiagramReply {
    /// The diagram.
    #[serde(flatten)]
    diagram: StoredDiagramReply,
    /// The newest version.
    newest: VersionReply,
}

impl OpenDiagramReply {
    fn with_etag((diagram, version): (Diagram, Version)) -> (HeaderMap, Json<Self>) {
        let headers = etag(diagram.revision);
        (
            headers,
            Json(OpenDiagramReply {
                diagram: StoredDiagramReply::from(diagram),
                newest: VersionReply::from(version),
            }),
        )
    }
}

/// A diagram to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagramBody {
    /// Title of the diagram.
    #[schema(example = "Orders")]
    title: String,
    /// The Mermaid text. It may be invalid; the version then says so.
    #[schema(example = "classDiagram\n    class Order")]
    code: String,
    /// The requirement text that the diagram is made from.
    requirement: Option<String>,
    /// A note about this version.
    note: Option<String>,
    /// Id of a folder of the project.
    folder_id: Option<String>,
}

/// A version to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionBody {
    /// The Mermaid text. It may be invalid; the version then says so.
    #[schema(example = "classDiagram\n    class Order\n    class Customer")]
    code: String,
    /// The requirement text that the diagram is made from. Default: that of the previous version.
    requirement: Option<String>,
    /// A note about this version.
    #[schema(example = "Customers too")]
    note: Option<String>,
}

/// Changes to a diagram.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDiagramBody {
    /// The new title.
    #[schema(example = "Orders and customers")]
    title: Option<String>,
    /// `true` archives the diagram, `false` restores it.
    archived: Option<bool>,
    /// Id of the folder of the project to move it to. `null` moves it out of its folder.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    folder_id: Option<Option<String>>,
}

/// A search.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words of the title, or their beginnings. With it, the answer is a single page.
    #[param(example = "order")]
    q: Option<String>,
}

/// Filters of a list of diagrams.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagramsQuery {
    /// Only diagrams of this kind.
    #[param(example = "class")]
    kind: Option<String>,
    /// Only diagrams directly in the folder with this id. `none`: only diagrams outside folders.
    #[param(example = "none")]
    folder: Option<String>,
    /// `true`: only archived diagrams. Default: only diagrams that are not archived.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
}

impl From<DiagramsQuery> for DiagramQuery {
    fn from(query: DiagramsQuery) -> Self {
        DiagramQuery { kind: query.kind, folder: query.folder, archived: query.archived }
    }
}

/// List the diagrams of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/diagrams",
    tag = "diagrams",
    params(("project" = String, Path, description = "Id of the project"), SearchQuery, DiagramsQuery, ListQuery),
    responses(
        (status = 200, description = "A page of diagrams, newest first", body = PageReply<StoredDiagramReply>),
        Problems,
    ),
)]
pub async fn list_diagrams(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(search): Query<SearchQuery>,
    Query(asked): Query<DiagramsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<StoredDiagramReply>>, ProblemResponse> {
    let (app, asked, listing) = (&state.app, asked.into(), query.into());
    let page = match search.q.filter(|words| !words.trim().is_empty()) {
        Some(words) => diagrams::search_diagrams(app, &caller, &project, &words, &asked, &listing).await?,
        None => diagrams::list_diagrams(app, &caller, &project, &asked, &listing).await?,
    };
    Ok(Json(PageReply::from_page(page, StoredDiagramReply::from)))
}

/// Create a diagram from Mermaid text
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/diagrams",
    tag = "diagrams",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = DiagramBody,
    responses(
        (
            status = 201,
            description = "The diagram and its first version",
            body = OpenDiagramReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn create_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<DiagramBody>,
) -> Result<(StatusCode, HeaderMap, Json<OpenDiagramReply>), ProblemResponse> {
    let written = DiagramInput { code: body.code, requirement: body.requirement, note: body.note };
    let (title, folder) = (&body.title, body.folder_id.as_deref());
    let made = diagrams::create_diagram(&state.app, &caller, &project, title, folder, written).await?;
    let (headers, reply) = OpenDiagramReply::with_etag(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// Get a diagram with its newest version
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}",
    tag = "diagrams",
    params(("diagram" = String, Path, description = "Id of the diagram")),
    responses(
        (
            status = 200,
            description = "The diagram",
            body = OpenDiagramReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
) -> Result<(HeaderMap, Json<OpenDiagramReply>), ProblemResponse> {
    Ok(OpenDiagramReply::with_etag(diagrams::find_diagram(&state.app, &caller, &diagram).await?))
}

/// Rename, move, archive or restore a diagram
#[utoipa::path(
    patch,
    path = "/api/v1/diagrams/{diagram}",
    tag = "diagrams",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        IfMatch,
    ),
    request_body = UpdateDiagramBody,
    responses(
        (
            status = 200,
            description = "The diagram",
            body = StoredDiagramReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateDiagramBody>,
) -> Result<(HeaderMap, Json<StoredDiagramReply>), ProblemResponse> {
    let changes = DiagramChanges { title: body.title, archived: body.archived, folder_id: body.folder_id };
    let changed = diagrams::update_diagram(&state.app, &caller, &diagram, revision, &changes).await?;
    Ok((etag(changed.revision), Json(StoredDiagramReply::from(changed))))
}

/// List the versions of a diagram
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}/versions",
    tag = "diagrams",
    params(("diagram" = String, Path, description = "Id of the diagram"), ListQuery),
    responses(
        (status = 200, description = "A page of versions, newest first", body = PageReply<VersionLine>),
        Problems,
    ),
)]
pub async fn list_versions(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<VersionLine>>, ProblemResponse> {
    let page = diagrams::list_versions(&state.app, &caller, &diagram, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, VersionLine::from)))
}

/// Create a version of a diagram
#[utoipa::path(
    post,
    path = "/api/v1/diagrams/{diagram}/versions",
    tag = "diagrams",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        (
            "If-Match" = String,
            Header,
            description = "The `ETag` of the diagram that you have read, or `*` for any revision",
        ),
    ),
    request_body = VersionBody,
    responses(
        (
            status = 201,
            description = "The diagram and the new version",
            body = OpenDiagramReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn create_version(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<VersionBody>,
) -> Result<(StatusCode, HeaderMap, Json<OpenDiagramReply>), ProblemResponse> {
    let written = DiagramInput { code: body.code, requirement: body.requirement, note: body.note };
    let made = diagrams::create_version(&state.app, &caller, &diagram, revision, written).await?;
    let (headers, reply) = OpenDiagramReply::with_etag(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// Restore an older version as the newest
///
/// The restored text, requirement and trace become a new version; nothing is removed.
#[utoipa::path(
    post,
    path = "/api/v1/diagrams/{diagram}/versions/{number}/restore",
    tag = "diagrams",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        ("number" = u32, Path, description = "Number of the version", example = 1),
        IfMatch,
    ),
    responses(
        (
            status = 201,
            description = "The diagram and the new version",
            body = OpenDiagramReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn restore_version(
    State(state): State<AppState>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
    IfMatch(revision): IfMatch,
) -> Result<(StatusCode, HeaderMap, Json<OpenDiagramReply>), ProblemResponse> {
    // No version has the number 0.
    let number = number.parse().unwrap_or(0);
    let made = diagrams::restore_version(&state.app, &caller, &diagram, number, revision).await?;
    let (headers, reply) = OpenDiagramReply::with_etag(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// Get a version of a diagram
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}/versions/{number}",
    tag = "diagrams",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        ("number" = u32, Path, description = "Number of the version", example = 1),
    ),
    responses((status = 200, description = "The version", body = VersionReply), Problems),
)]
pub async fn find_version(
    State(state): State<AppState>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
) -> Result<Json<VersionReply>, ProblemResponse> {
    // No version has the number 0.
    let number = number.parse().unwrap_or(0);
    Ok(Json(VersionReply::from(diagrams::find_version(&state.app, &caller, &diagram, number).await?)))
}
