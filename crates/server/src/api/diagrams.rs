//! Diagrams that are kept, and their versions.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query, SearchQuery, Seen, etag, said};
use crate::{
    Shared,
    http::error::{Body, Changes, Pending, Problems},
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
    /// Its id.
    id: String,
    /// Where it belongs.
    project_id: String,
    /// What kind it is.
    #[schema(example = "class")]
    kind: String,
    /// What it is called.
    title: String,
    /// In which folder it lies, if in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_id: Option<String>,
    /// Number of its newest version.
    #[schema(example = 3)]
    version: u32,
    /// When its first version was written.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// Since when it is put away.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl StoredDiagramReply {
    fn of(diagram: Diagram) -> Self {
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

/// One state of a diagram; it never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionReply {
    /// Its id.
    id: String,
    /// 1 for the first, then up by one.
    #[schema(example = 3)]
    number: u32,
    /// The Mermaid text.
    #[schema(example = "classDiagram\n    class Order")]
    code: String,
    /// Mermaid's own parser accepts exactly this text.
    validated: bool,
    /// The requirements that it draws.
    requirement: String,
    /// What it means, as typed data, if a blueprint was there before the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    blueprint: Option<Value>,
    /// What was found in it.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// Which words each element comes from.
    #[schema(value_type = Vec<Object>)]
    trace: Value,
    /// What its author says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The generation that made it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_id: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
}

impl VersionReply {
    fn of(version: Version) -> Self {
        // What is stored as JSON is JSON.
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
    /// Its id.
    id: String,
    /// 1 for the first, then up by one.
    number: u32,
    /// Mermaid's own parser accepts its text.
    validated: bool,
    /// What its author says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
}

impl VersionLine {
    fn of(version: VersionSummary) -> Self {
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
    /// Its newest version.
    newest: VersionReply,
}

impl OpenDiagramReply {
    fn of((diagram, version): (Diagram, Version)) -> (HeaderMap, Json<Self>) {
        let headers = etag(diagram.revision);
        (
            headers,
            Json(OpenDiagramReply {
                diagram: StoredDiagramReply::of(diagram),
                newest: VersionReply::of(version),
            }),
        )
    }
}

/// A diagram that a person writes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagramBody {
    /// What it is called.
    #[schema(example = "Orders")]
    title: String,
    /// The Mermaid text. It may be wrong: that is said with it.
    #[schema(example = "classDiagram\n    class Order")]
    code: String,
    /// The requirements that it draws.
    requirement: Option<String>,
    /// What there is to say of it.
    note: Option<String>,
    /// In which folder of the project it lies.
    folder_id: Option<String>,
}

/// The next version of a diagram.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionBody {
    /// The Mermaid text. It may be wrong: that is said with it.
    #[schema(example = "classDiagram\n    class Order\n    class Customer")]
    code: String,
    /// The requirements that it draws; those of the version before if not said.
    requirement: Option<String>,
    /// What there is to say of it.
    #[schema(example = "Customers too")]
    note: Option<String>,
}

/// What is changed of a diagram itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDiagramBody {
    /// What it is called.
    #[schema(example = "Orders and customers")]
    title: Option<String>,
    /// Put it away, or take it out again.
    archived: Option<bool>,
    /// Put it into a folder of its project; `null` takes it out of the one it lies in.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    folder_id: Option<Option<String>>,
}

/// Which diagrams.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiagramsQuery {
    /// Only those of this kind.
    #[param(example = "class")]
    kind: Option<String>,
    /// Only those that lie in this folder itself; `none`: in no folder.
    #[param(example = "none")]
    folder: Option<String>,
    /// Those that are put away, instead of those in use.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
}

impl From<DiagramsQuery> for DiagramQuery {
    fn from(query: DiagramsQuery) -> Self {
        DiagramQuery { kind: query.kind, folder: query.folder, archived: query.archived }
    }
}

/// The diagrams of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/diagrams", operation_id = "list_diagrams", tag = "diagrams", params(("project" = String, Path, description = "Its id"), SearchQuery, DiagramsQuery, ListQuery), responses((status = 200, description = "A page of them, last made first", body = PageReply<StoredDiagramReply>), Problems))]
pub async fn list_diagrams(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(search): Query<SearchQuery>,
    Query(asked): Query<DiagramsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<StoredDiagramReply>>, Pending> {
    let (app, asked, listing) = (&shared.app, asked.into(), query.into());
    let page = match search.q.filter(|words| !words.trim().is_empty()) {
        Some(words) => diagrams::search_diagrams(app, &caller, &project, &words, &asked, &listing).await?,
        None => diagrams::list_diagrams(app, &caller, &project, &asked, &listing).await?,
    };
    Ok(Json(PageReply::of(page, StoredDiagramReply::of)))
}

/// Begin a diagram that you wrote
#[utoipa::path(post, path = "/api/v1/projects/{project}/diagrams", operation_id = "create_diagram", tag = "diagrams", params(("project" = String, Path, description = "Its id")), request_body = DiagramBody, responses((status = 201, description = "The diagram and its first version", body = OpenDiagramReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn create_diagram(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<DiagramBody>,
) -> Result<(StatusCode, HeaderMap, Json<OpenDiagramReply>), Pending> {
    let written = DiagramInput { code: body.code, requirement: body.requirement, note: body.note };
    let (title, folder) = (&body.title, body.folder_id.as_deref());
    let made = diagrams::create_diagram(&shared.app, &caller, &project, title, folder, written).await?;
    let (headers, reply) = OpenDiagramReply::of(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// A diagram and its newest version
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}", operation_id = "find_diagram", tag = "diagrams", params(("diagram" = String, Path, description = "Its id")), responses((status = 200, description = "The diagram", body = OpenDiagramReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_diagram(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
) -> Result<(HeaderMap, Json<OpenDiagramReply>), Pending> {
    Ok(OpenDiagramReply::of(diagrams::find_diagram(&shared.app, &caller, &diagram).await?))
}

/// Change a diagram itself
#[utoipa::path(patch, path = "/api/v1/diagrams/{diagram}", operation_id = "update_diagram", tag = "diagrams", params(("diagram" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateDiagramBody, responses((status = 200, description = "The diagram", body = StoredDiagramReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_diagram(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateDiagramBody>,
) -> Result<(HeaderMap, Json<StoredDiagramReply>), Pending> {
    let changes = DiagramChanges { title: body.title, archived: body.archived, folder_id: body.folder_id };
    let changed = diagrams::update_diagram(&shared.app, &caller, &diagram, seen, &changes).await?;
    Ok((etag(changed.revision), Json(StoredDiagramReply::of(changed))))
}

/// The versions of a diagram
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}/versions", operation_id = "list_versions", tag = "diagrams", params(("diagram" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, newest first", body = PageReply<VersionLine>), Problems))]
pub async fn list_versions(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<VersionLine>>, Pending> {
    let page = diagrams::list_versions(&shared.app, &caller, &diagram, &query.into()).await?;
    Ok(Json(PageReply::of(page, VersionLine::of)))
}

/// Write the next version of a diagram
#[utoipa::path(post, path = "/api/v1/diagrams/{diagram}/versions", operation_id = "create_version", tag = "diagrams", params(("diagram" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the diagram you have seen, or `*`")), request_body = VersionBody, responses((status = 201, description = "The diagram and the version", body = OpenDiagramReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn create_version(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<VersionBody>,
) -> Result<(StatusCode, HeaderMap, Json<OpenDiagramReply>), Pending> {
    let written = DiagramInput { code: body.code, requirement: body.requirement, note: body.note };
    let made = diagrams::create_version(&shared.app, &caller, &diagram, seen, written).await?;
    let (headers, reply) = OpenDiagramReply::of(made);
    Ok((StatusCode::CREATED, headers, reply))
}

/// One version of a diagram
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}/versions/{number}", operation_id = "find_version", tag = "diagrams", params(("diagram" = String, Path, description = "Its id"), ("number" = u32, Path, description = "Its number", example = 1)), responses((status = 200, description = "The version", body = VersionReply), Problems))]
pub async fn find_version(
    State(shared): State<Shared>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
) -> Result<Json<VersionReply>, Pending> {
    // What is no number is the number of no version.
    let number = number.parse().unwrap_or(0);
    Ok(Json(VersionReply::of(diagrams::find_version(&shared.app, &caller, &diagram, number).await?)))
}
