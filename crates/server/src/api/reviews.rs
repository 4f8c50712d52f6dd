//! Comments, approvals, baselines and the glossary.

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
    Approval, Baseline, BaselineItem, Comment, Term, access::Caller, clock::rfc3339,
    list_filters::CommentQuery, reviews,
};

/// A comment on a diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentReply {
    /// Id of the comment.
    id: String,
    /// Id of the diagram.
    diagram_id: String,
    /// Number of the diagram version that it was written for.
    version: i64,
    /// Id of the element. Absent if the comment is about the whole diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<String>,
    /// Text of the comment.
    #[schema(example = "Who cancels an order?")]
    body: String,
    /// Id of the author.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When the comment was created.
    created_at: String,
    /// When the comment was resolved. Absent if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
    /// Id of the user who resolved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
}

impl From<Comment> for CommentReply {
    fn from(comment: Comment) -> Self {
        CommentReply {
            id: comment.id.to_string(),
            diagram_id: comment.diagram_id.to_string(),
            version: comment.version,
            element: comment.element,
            body: comment.body,
            created_by: comment.created_by.map(|id| id.to_string()),
            created_at: rfc3339(comment.created_at),
            resolved_at: comment.resolved_at.map(rfc3339),
            resolved_by: comment.resolved_by.map(|id| id.to_string()),
        }
    }
}

/// A comment to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentBody {
    /// Text of the comment, 1 to 10,000 characters.
    #[schema(example = "Who cancels an order?")]
    body: String,
    /// Id of the element. Default: the whole diagram.
    #[schema(example = "Order")]
    element: Option<String>,
}

/// The state of a comment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// `true` resolves the comment, `false` reopens it.
    resolved: bool,
}

/// An approval or rejection of a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalReply {
    /// Id of the approval.
    id: String,
    /// Number of the version.
    version: i64,
    /// `approved` or `rejected`.
    #[schema(example = "approved")]
    decision: String,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Id of the user who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// Time of the decision.
    created_at: String,
}

impl From<Approval> for ApprovalReply {
    fn from(approval: Approval) -> Self {
        ApprovalReply {
            id: approval.id.to_string(),
            version: approval.version,
            decision: approval.decision,
            note: approval.note,
            created_by: approval.created_by.map(|id| id.to_string()),
            created_at: rfc3339(approval.created_at),
        }
    }
}

/// A decision about a version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBody {
    /// `approved` or `rejected`.
    #[schema(example = "approved")]
    decision: String,
    /// The reason.
    note: Option<String>,
}

/// A named set of versions of one moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineReply {
    /// Id of the baseline.
    id: String,
    /// Name of the baseline.
    #[schema(example = "Release 1")]
    name: String,
    /// Id of the user who created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When the baseline was created.
    created_at: String,
}

impl From<Baseline> for BaselineReply {
    fn from(baseline: Baseline) -> Self {
        BaselineReply {
            id: baseline.id.to_string(),
            name: baseline.name,
            created_by: baseline.created_by.map(|id| id.to_string()),
            created_at: rfc3339(baseline.created_at),
        }
    }
}

/// An item of a baseline.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineItemReply {
    /// `diagram` or `requirement`.
    what: String,
    /// Id of the diagram or requirement.
    id: String,
    /// Number of its version.
    version: i64,
}

/// A baseline with its items.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenBaselineReply {
    /// The baseline.
    #[serde(flatten)]
    baseline: BaselineReply,
    /// The diagrams and requirements in the baseline.
    items: Vec<BaselineItemReply>,
}

impl From<(Baseline, Vec<BaselineItem>)> for OpenBaselineReply {
    fn from((baseline, items): (Baseline, Vec<BaselineItem>)) -> Self {
        let item =
            |it: BaselineItem| BaselineItemReply { what: it.what, id: it.subject_id, version: it.version };
        OpenBaselineReply {
            baseline: BaselineReply::from(baseline),
            items: items.into_iter().map(item).collect(),
        }
    }
}

/// A baseline to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineBody {
    /// Name of the baseline.
    #[schema(example = "Release 1")]
    name: String,
}

/// A glossary term.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermReply {
    /// Id of the term.
    id: String,
    /// The term.
    #[schema(example = "Order")]
    term: String,
    /// Its definition.
    #[schema(example = "What a customer wants to buy, at a moment.")]
    definition: String,
    /// When the term was created.
    created_at: String,
    /// When the term was last changed.
    updated_at: String,
}

impl From<Term> for TermReply {
    fn from(term: Term) -> Self {
        TermReply {
            id: term.id.to_string(),
            term: term.term,
            definition: term.definition,
            created_at: rfc3339(term.created_at),
            updated_at: rfc3339(term.updated_at),
        }
    }
}

/// A glossary term to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermBody {
    /// The term.
    #[schema(example = "Order")]
    term: String,
    /// Its definition, 1 to 2,000 characters.
    #[schema(example = "What a customer wants to buy, at a moment.")]
    definition: String,
}

/// Changes to a glossary term.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTermBody {
    /// The new term.
    term: Option<String>,
    /// The new definition.
    definition: Option<String>,
}

/// Filters of a list of comments.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CommentsQuery {
    /// `true`: only resolved comments. `false`: only open comments.
    #[param(value_type = Option<bool>)]
    resolved: Option<String>,
    /// Only comments on this element.
    #[param(example = "Order")]
    element: Option<String>,
}

impl From<CommentsQuery> for CommentQuery {
    fn from(query: CommentsQuery) -> Self {
        CommentQuery { resolved: query.resolved, element: query.element }
    }
}

/// List the comments on a diagram
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}/comments",
    tag = "reviews",
    params(("diagram" = String, Path, description = "Id of the diagram"), CommentsQuery, ListQuery),
    responses(
        (status = 200, description = "A page of comments, newest first", body = PageReply<CommentReply>),
        Problems,
    ),
)]
pub async fn list_comments(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(asked): Query<CommentsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<CommentReply>>, ProblemResponse> {
    let page = reviews::list_comments(&state.app, &caller, &diagram, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::from_page(page, CommentReply::from)))
}

/// Create a comment on a diagram
#[utoipa::path(
    post,
    path = "/api/v1/diagrams/{diagram}/comments",
    tag = "reviews",
    params(("diagram" = String, Path, description = "Id of the diagram")),
    request_body = CommentBody,
    responses(
        (status = 201, description = "The comment, on the newest version", body = CommentReply),
        Problems,
    ),
)]
pub async fn create_comment(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Body(body): Body<CommentBody>,
) -> Result<(StatusCode, Json<CommentReply>), ProblemResponse> {
    let comment = reviews::create_comment(&state.app, &caller, &diagram, body.element, &body.body).await?;
    Ok((StatusCode::CREATED, Json(CommentReply::from(comment))))
}

/// Resolve or reopen a comment
#[utoipa::path(
    patch,
    path = "/api/v1/comments/{comment}",
    tag = "reviews",
    params(("comment" = String, Path, description = "Id of the comment")),
    request_body = ResolveBody,
    responses((status = 200, description = "The comment", body = CommentReply), Problems),
)]
pub async fn resolve_comment(
    State(state): State<AppState>,
    caller: Caller,
    Path(comment): Path<String>,
    Body(body): Body<ResolveBody>,
) -> Result<Json<CommentReply>, ProblemResponse> {
    let comment = reviews::resolve_comment(&state.app, &caller, &comment, body.resolved).await?;
    Ok(Json(CommentReply::from(comment)))
}

/// List the approvals of a version
#[utoipa::path(
    get,
    path = "/api/v1/diagrams/{diagram}/versions/{number}/approvals",
    tag = "reviews",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        ("number" = u32, Path, description = "Number of the version", example = 1),
        ListQuery,
    ),
    responses(
        (
            status = 200,
            description = "A page of approvals, newest first; the newest of each person counts",
            body = PageReply<ApprovalReply>,
        ),
        Problems,
    ),
)]
pub async fn list_approvals(
    State(state): State<AppState>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<ApprovalReply>>, ProblemResponse> {
    // No version has the number 0.
    let number = number.parse().unwrap_or(0);
    let page = reviews::list_approvals(&state.app, &caller, &diagram, number, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, ApprovalReply::from)))
}

/// Approve or reject a version
#[utoipa::path(
    post,
    path = "/api/v1/diagrams/{diagram}/versions/{number}/approvals",
    tag = "reviews",
    params(
        ("diagram" = String, Path, description = "Id of the diagram"),
        ("number" = u32, Path, description = "Number of the version", example = 1),
    ),
    request_body = ApprovalBody,
    responses((status = 201, description = "The approval", body = ApprovalReply), Problems),
)]
pub async fn create_approval(
    State(state): State<AppState>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
    Body(body): Body<ApprovalBody>,
) -> Result<(StatusCode, Json<ApprovalReply>), ProblemResponse> {
    let number = number.parse().unwrap_or(0);
    let approval =
        reviews::create_approval(&state.app, &caller, &diagram, number, &body.decision, body.note).await?;
    Ok((StatusCode::CREATED, Json(ApprovalReply::from(approval))))
}

/// List the baselines of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/baselines",
    tag = "reviews",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses(
        (status = 200, description = "A page of baselines, newest first", body = PageReply<BaselineReply>),
        Problems,
    ),
)]
pub async fn list_baselines(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<BaselineReply>>, ProblemResponse> {
    let page = reviews::list_baselines(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, BaselineReply::from)))
}

/// Create a baseline
///
/// Records the newest version of every diagram and requirement of the project.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/baselines",
    tag = "reviews",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = BaselineBody,
    responses(
        (status = 201, description = "The baseline and its items", body = OpenBaselineReply),
        Problems,
    ),
)]
pub async fn create_baseline(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<BaselineBody>,
) -> Result<(StatusCode, Json<OpenBaselineReply>), ProblemResponse> {
    let made = reviews::create_baseline(&state.app, &caller, &project, &body.name).await?;
    Ok((StatusCode::CREATED, Json(OpenBaselineReply::from(made))))
}

/// Get a baseline with its items
#[utoipa::path(
    get,
    path = "/api/v1/baselines/{baseline}",
    tag = "reviews",
    params(("baseline" = String, Path, description = "Id of the baseline")),
    responses((status = 200, description = "The baseline", body = OpenBaselineReply), Problems),
)]
pub async fn find_baseline(
    State(state): State<AppState>,
    caller: Caller,
    Path(baseline): Path<String>,
) -> Result<Json<OpenBaselineReply>, ProblemResponse> {
    Ok(Json(OpenBaselineReply::from(reviews::find_baseline(&state.app, &caller, &baseline).await?)))
}

/// List the glossary terms of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/glossary",
    tag = "reviews",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses(
        (status = 200, description = "A page of terms, newest first", body = PageReply<TermReply>),
        Problems,
    ),
)]
pub async fn list_terms(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TermReply>>, ProblemResponse> {
    let page = reviews::list_terms(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, TermReply::from)))
}

/// Create a glossary term
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/glossary",
    tag = "reviews",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = TermBody,
    responses(
        (
            status = 201,
            description = "The term",
            body = TermReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn create_term(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<TermBody>,
) -> Result<(StatusCode, HeaderMap, Json<TermReply>), ProblemResponse> {
    let term = reviews::create_term(&state.app, &caller, &project, &body.term, &body.definition).await?;
    Ok((StatusCode::CREATED, etag(term.revision), Json(TermReply::from(term))))
}

/// Update a glossary term
#[utoipa::path(
    patch,
    path = "/api/v1/terms/{term}",
    tag = "reviews",
    params(
        ("term" = String, Path, description = "Id of the term"),
        IfMatch,
    ),
    request_body = UpdateTermBody,
    responses(
        (
            status = 200,
            description = "The term",
            body = TermReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_term(
    State(state): State<AppState>,
    caller: Caller,
    Path(term): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateTermBody>,
) -> Result<(HeaderMap, Json<TermReply>), ProblemResponse> {
    let (word, definition) = (body.term.as_deref(), body.definition.as_deref());
    let term = reviews::update_term(&state.app, &caller, &term, revision, word, definition).await?;
    Ok((etag(term.revision), Json(TermReply::from(term))))
}

/// Delete a glossary term
#[utoipa::path(
    delete,
    path = "/api/v1/terms/{term}",
    tag = "reviews",
    params(("term" = String, Path, description = "Id of the term")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_term(
    State(state): State<AppState>,
    caller: Caller,
    Path(term): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    reviews::delete_term(&state.app, &caller, &term).await?;
    Ok(StatusCode::NO_CONTENT)
}
