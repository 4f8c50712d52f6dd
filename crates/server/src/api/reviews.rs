//! Comments, approvals, baselines and the glossary.

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
    Approval, Baseline, BaselineItem, Comment, Term, access::Caller, clock::rfc3339,
    list_filters::CommentQuery, reviews,
};

/// What somebody says of a diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentReply {
    /// Its id.
    id: String,
    /// Of which diagram.
    diagram_id: String,
    /// Of which version.
    version: i64,
    /// Of which element; of all of it if not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<String>,
    /// The words.
    #[schema(example = "Who cancels an order?")]
    body: String,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
    /// Since when it is dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
}

impl CommentReply {
    fn of(comment: Comment) -> Self {
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

/// A comment that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentBody {
    /// The words, 1 to 10,000 characters.
    #[schema(example = "Who cancels an order?")]
    body: String,
    /// Of which element; of all of it if not said.
    #[schema(example = "Order")]
    element: Option<String>,
}

/// Whether a comment is dealt with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// It is.
    resolved: bool,
}

/// What somebody decided about a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalReply {
    /// Its id.
    id: String,
    /// Of which version.
    version: i64,
    /// `approved` or `rejected`.
    #[schema(example = "approved")]
    decision: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
}

impl ApprovalReply {
    fn of(approval: Approval) -> Self {
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

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBody {
    /// `approved` or `rejected`.
    #[schema(example = "approved")]
    decision: String,
    /// Why.
    note: Option<String>,
}

/// The versions that belonged together at a moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineReply {
    /// Its id.
    id: String,
    /// What people call it.
    #[schema(example = "Release 1")]
    name: String,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// When.
    created_at: String,
}

impl BaselineReply {
    fn of(baseline: Baseline) -> Self {
        BaselineReply {
            id: baseline.id.to_string(),
            name: baseline.name,
            created_by: baseline.created_by.map(|id| id.to_string()),
            created_at: rfc3339(baseline.created_at),
        }
    }
}

/// One thing in a baseline.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineItemReply {
    /// `diagram` or `requirement`.
    what: String,
    /// Its id.
    id: String,
    /// The version of it.
    version: i64,
}

/// A baseline and everything in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenBaselineReply {
    /// The baseline.
    #[serde(flatten)]
    baseline: BaselineReply,
    /// What is in it.
    items: Vec<BaselineItemReply>,
}

impl OpenBaselineReply {
    fn of((baseline, items): (Baseline, Vec<BaselineItem>)) -> Self {
        let item =
            |it: BaselineItem| BaselineItemReply { what: it.what, id: it.subject_id, version: it.version };
        OpenBaselineReply {
            baseline: BaselineReply::of(baseline),
            items: items.into_iter().map(item).collect(),
        }
    }
}

/// A baseline that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineBody {
    /// What people call it.
    #[schema(example = "Release 1")]
    name: String,
}

/// A word and what it means.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermReply {
    /// Its id.
    id: String,
    /// The word.
    #[schema(example = "Order")]
    term: String,
    /// What it means.
    #[schema(example = "What a customer wants to buy, at a moment.")]
    definition: String,
    /// When it was first written.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

impl TermReply {
    fn of(term: Term) -> Self {
        TermReply {
            id: term.id.to_string(),
            term: term.term,
            definition: term.definition,
            created_at: rfc3339(term.created_at),
            updated_at: rfc3339(term.updated_at),
        }
    }
}

/// A word that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermBody {
    /// The word.
    #[schema(example = "Order")]
    term: String,
    /// What it means, 1 to 2,000 characters.
    #[schema(example = "What a customer wants to buy, at a moment.")]
    definition: String,
}

/// What is changed of a word.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTermBody {
    /// The word.
    term: Option<String>,
    /// What it means.
    definition: Option<String>,
}

/// Which comments.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CommentsQuery {
    /// Only those that are dealt with, or only those that are not.
    #[param(value_type = Option<bool>)]
    resolved: Option<String>,
    /// Only those of this element.
    #[param(example = "Order")]
    element: Option<String>,
}

impl From<CommentsQuery> for CommentQuery {
    fn from(query: CommentsQuery) -> Self {
        CommentQuery { resolved: query.resolved, element: query.element }
    }
}

/// The comments of a diagram
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}/comments", operation_id = "list_comments", tag = "reviews", params(("diagram" = String, Path, description = "Its id"), CommentsQuery, ListQuery), responses((status = 200, description = "A page of them, newest first", body = PageReply<CommentReply>), Problems))]
pub async fn list_comments(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(asked): Query<CommentsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<CommentReply>>, Pending> {
    let page = reviews::list_comments(&shared.app, &caller, &diagram, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::of(page, CommentReply::of)))
}

/// Say something of a diagram
#[utoipa::path(post, path = "/api/v1/diagrams/{diagram}/comments", operation_id = "create_comment", tag = "reviews", params(("diagram" = String, Path, description = "Its id")), request_body = CommentBody, responses((status = 201, description = "The comment, on the newest version", body = CommentReply), Problems))]
pub async fn create_comment(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    Body(body): Body<CommentBody>,
) -> Result<(StatusCode, Json<CommentReply>), Pending> {
    let comment = reviews::create_comment(&shared.app, &caller, &diagram, body.element, &body.body).await?;
    Ok((StatusCode::CREATED, Json(CommentReply::of(comment))))
}

/// Say whether a comment is dealt with
#[utoipa::path(patch, path = "/api/v1/comments/{comment}", operation_id = "resolve_comment", tag = "reviews", params(("comment" = String, Path, description = "Its id")), request_body = ResolveBody, responses((status = 200, description = "The comment", body = CommentReply), Problems))]
pub async fn resolve_comment(
    State(shared): State<Shared>,
    caller: Caller,
    Path(comment): Path<String>,
    Body(body): Body<ResolveBody>,
) -> Result<Json<CommentReply>, Pending> {
    let comment = reviews::resolve_comment(&shared.app, &caller, &comment, body.resolved).await?;
    Ok(Json(CommentReply::of(comment)))
}

/// What people decided about a version
#[utoipa::path(get, path = "/api/v1/diagrams/{diagram}/versions/{number}/approvals", operation_id = "list_approvals", tag = "reviews", params(("diagram" = String, Path, description = "Its id"), ("number" = u32, Path, description = "Of which version", example = 1), ListQuery), responses((status = 200, description = "A page of it, newest first; of one person the newest counts", body = PageReply<ApprovalReply>), Problems))]
pub async fn list_approvals(
    State(shared): State<Shared>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<ApprovalReply>>, Pending> {
    // What is no number is the number of no version.
    let number = number.parse().unwrap_or(0);
    let page = reviews::list_approvals(&shared.app, &caller, &diagram, number, &query.into()).await?;
    Ok(Json(PageReply::of(page, ApprovalReply::of)))
}

/// Approve or reject a version
#[utoipa::path(post, path = "/api/v1/diagrams/{diagram}/versions/{number}/approvals", operation_id = "create_approval", tag = "reviews", params(("diagram" = String, Path, description = "Its id"), ("number" = u32, Path, description = "Which version", example = 1)), request_body = ApprovalBody, responses((status = 201, description = "Decided", body = ApprovalReply), Problems))]
pub async fn create_approval(
    State(shared): State<Shared>,
    caller: Caller,
    Path((diagram, number)): Path<(String, String)>,
    Body(body): Body<ApprovalBody>,
) -> Result<(StatusCode, Json<ApprovalReply>), Pending> {
    let number = number.parse().unwrap_or(0);
    let approval =
        reviews::create_approval(&shared.app, &caller, &diagram, number, &body.decision, body.note).await?;
    Ok((StatusCode::CREATED, Json(ApprovalReply::of(approval))))
}

/// The baselines of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/baselines", operation_id = "list_baselines", tag = "reviews", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, newest first", body = PageReply<BaselineReply>), Problems))]
pub async fn list_baselines(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<BaselineReply>>, Pending> {
    let page = reviews::list_baselines(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, BaselineReply::of)))
}

/// Remember the newest version of everything in a project
#[utoipa::path(post, path = "/api/v1/projects/{project}/baselines", operation_id = "create_baseline", tag = "reviews", params(("project" = String, Path, description = "Its id")), request_body = BaselineBody, responses((status = 201, description = "The baseline and what is in it", body = OpenBaselineReply), Problems))]
pub async fn create_baseline(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<BaselineBody>,
) -> Result<(StatusCode, Json<OpenBaselineReply>), Pending> {
    let made = reviews::create_baseline(&shared.app, &caller, &project, &body.name).await?;
    Ok((StatusCode::CREATED, Json(OpenBaselineReply::of(made))))
}

/// A baseline and everything in it
#[utoipa::path(get, path = "/api/v1/baselines/{baseline}", operation_id = "find_baseline", tag = "reviews", params(("baseline" = String, Path, description = "Its id")), responses((status = 200, description = "The baseline", body = OpenBaselineReply), Problems))]
pub async fn find_baseline(
    State(shared): State<Shared>,
    caller: Caller,
    Path(baseline): Path<String>,
) -> Result<Json<OpenBaselineReply>, Pending> {
    Ok(Json(OpenBaselineReply::of(reviews::find_baseline(&shared.app, &caller, &baseline).await?)))
}

/// What words mean in a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/glossary", operation_id = "list_terms", tag = "reviews", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, last written first", body = PageReply<TermReply>), Problems))]
pub async fn list_terms(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<TermReply>>, Pending> {
    let page = reviews::list_terms(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, TermReply::of)))
}

/// Say what a word means
#[utoipa::path(post, path = "/api/v1/projects/{project}/glossary", operation_id = "create_term", tag = "reviews", params(("project" = String, Path, description = "Its id")), request_body = TermBody, responses((status = 201, description = "The word", body = TermReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn create_term(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<TermBody>,
) -> Result<(StatusCode, HeaderMap, Json<TermReply>), Pending> {
    let term = reviews::create_term(&shared.app, &caller, &project, &body.term, &body.definition).await?;
    Ok((StatusCode::CREATED, etag(term.revision), Json(TermReply::of(term))))
}

/// Change a word or what it means
#[utoipa::path(patch, path = "/api/v1/terms/{term}", operation_id = "update_term", tag = "reviews", params(("term" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateTermBody, responses((status = 200, description = "The word", body = TermReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_term(
    State(shared): State<Shared>,
    caller: Caller,
    Path(term): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateTermBody>,
) -> Result<(HeaderMap, Json<TermReply>), Pending> {
    let (word, definition) = (body.term.as_deref(), body.definition.as_deref());
    let term = reviews::update_term(&shared.app, &caller, &term, seen, word, definition).await?;
    Ok((etag(term.revision), Json(TermReply::of(term))))
}

/// Take a word away
#[utoipa::path(delete, path = "/api/v1/terms/{term}", operation_id = "delete_term", tag = "reviews", params(("term" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_term(
    State(shared): State<Shared>,
    caller: Caller,
    Path(term): Path<String>,
) -> Result<StatusCode, Pending> {
    reviews::delete_term(&shared.app, &caller, &term).await?;
    Ok(StatusCode::NO_CONTENT)
}
