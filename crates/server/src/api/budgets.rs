//! Budgets of projects and users.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Body, IfMatch, if_match_needed},
    reply::etag,
};
use crate::{
    http::error::{Changes, ProblemResponse, Problems},
    state::AppState,
};
use application::{
    Error,
    access::Caller,
    budgets::{self, BudgetInput, BudgetStatus, Owner, Precondition},
    clock::rfc3339,
};

/// A budget and its use.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetReply {
    /// `day`, `month` (calendar month in UTC) or `total`.
    #[schema(example = "month")]
    period: &'static str,
    /// Maximum number of input and output tokens in the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_000_000)]
    max_tokens: Option<i64>,
    /// Maximum cost in the period, in millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5_000_000)]
    max_micro_usd: Option<i64>,
    /// Used tokens, with the maximum that running requests may use.
    #[schema(example = 83_112)]
    used_tokens: i64,
    /// Used amount in millionths of a US dollar, as far as prices are known.
    #[schema(example = 91_250)]
    used_micro_usd: i64,
    /// Remaining tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 916_888)]
    remaining_tokens: Option<i64>,
    /// Remaining amount in millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4_908_750)]
    remaining_micro_usd: Option<i64>,
    /// Start of the current period.
    period_start: String,
    /// Start of the next period. Absent for `total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    renews_at: Option<String>,
    /// When the budget was created.
    created_at: String,
    /// When its limits were last changed.
    updated_at: String,
}

impl From<&BudgetStatus> for BudgetReply {
    fn from(standing: &BudgetStatus) -> Self {
        let budget = &standing.budget;
        BudgetReply {
            period: budget.limits.period.as_str(),
            max_tokens: budget.limits.max_tokens,
            max_micro_usd: budget.limits.max_micro_usd,
            used_tokens: standing.used.tokens,
            used_micro_usd: standing.used.micro_usd,
            remaining_tokens: standing.remaining_tokens(),
            remaining_micro_usd: standing.remaining_micro_usd(),
            period_start: rfc3339(standing.since),
            renews_at: standing.renews_at.map(rfc3339),
            created_at: rfc3339(budget.created_at),
            updated_at: rfc3339(budget.updated_at),
        }
    }
}

/// The limits of a budget. At least one of the two is required.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetBody {
    /// `day`, `month` (calendar month in UTC) or `total`.
    #[schema(example = "month")]
    period: String,
    /// Maximum number of input and output tokens in the period, 0 or more.
    #[schema(example = 1_000_000)]
    max_tokens: Option<i64>,
    /// Maximum cost in the period, in millionths of a US dollar, 0 or more. Models without a known price are then
    /// refused.
    #[schema(example = 5_000_000)]
    max_micro_usd: Option<i64>,
}

/// The precondition of the caller: `If-Match` changes a budget; without it, or with `If-None-Match: *`, there must
/// be none.
pub struct Condition {
    known: Precondition,
    /// Whether the request has one of the two headers.
    explicit: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        if parts.headers.contains_key(header::IF_MATCH) {
            let IfMatch(revision) = IfMatch::from_request_parts(parts, state).await?;
            return Ok(Condition { known: Precondition::Some(revision), explicit: true });
        }
        Ok(Condition {
            known: Precondition::None,
            explicit: parts.headers.contains_key(header::IF_NONE_MATCH),
        })
    }
}

type Found = Result<(HeaderMap, Json<BudgetReply>), ProblemResponse>;
type Set = Result<(StatusCode, HeaderMap, Json<BudgetReply>), ProblemResponse>;

async fn find(state: &AppState, caller: &Caller, owner: &Owner) -> Found {
    let standing = budgets::find_budget(&state.app, caller, owner).await?;
    Ok((etag(standing.budget.revision), Json(BudgetReply::from(&standing))))
}

async fn set(
    state: &AppState,
    caller: &Caller,
    owner: &Owner,
    condition: Condition,
    body: BudgetBody,
) -> Set {
    let BudgetBody { period, max_tokens, max_micro_usd } = body;
    let wanted = BudgetInput { period, max_tokens, max_micro_usd };
    let (standing, new) = match budgets::set_budget(&state.app, caller, owner, &wanted, condition.known).await
    {
        Err(Error::RevisionMismatch(_)) if !condition.explicit => return Err(if_match_needed()),
        set => set?,
    };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, etag(standing.budget.revision), Json(BudgetReply::from(&standing))))
}

async fn delete(state: &AppState, caller: &Caller, owner: &Owner) -> Result<StatusCode, ProblemResponse> {
    budgets::delete_budget(&state.app, caller, owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get the budget of a project
///
/// Requests that use the key of the project or of the server count against it.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/budget",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project")),
    responses(
        (
            status = 200,
            description = "The budget and its use",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_project_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Found {
    find(&state, &caller, &Owner::Project(project)).await
}

/// Set the budget of a project
///
/// Changing a budget keeps its use. Deleting and creating it again resets the use to zero.
#[utoipa::path(
    put,
    path = "/api/v1/projects/{project}/budget",
    tag = "projects",
    params(
        ("project" = String, Path, description = "Id of the project"),
        (
            "If-Match" = Option<String>,
            Header,
            description = "To change the budget: the `ETag` that you have read, or `*` for any revision. Leave it out \
                to create one",
        ),
    ),
    request_body = BudgetBody,
    responses(
        (
            status = 200,
            description = "The changed budget",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        (
            status = 201,
            description = "The new budget",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn set_project_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    condition: Condition,
    Body(body): Body<BudgetBody>,
) -> Set {
    set(&state, &caller, &Owner::Project(project), condition, body).await
}

/// Delete the budget of a project
///
/// Spending of the project is then not limited.
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/budget",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_project_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    delete(&state, &caller, &Owner::Project(project)).await
}

/// Get the budget of a user
///
/// All requests of the user count against it, except those with a key in the request itself.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user}/budget",
    tag = "administration",
    params(("user" = String, Path, description = "Id of the user")),
    responses(
        (
            status = 200,
            description = "The budget and its use",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_user_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Found {
    find(&state, &caller, &Owner::User(user)).await
}

/// Set the budget of a user
///
/// Changing a budget keeps its use. Deleting and creating it again resets the use to zero.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/budget",
    tag = "administration",
    params(
        ("user" = String, Path, description = "Id of the user"),
        (
            "If-Match" = Option<String>,
            Header,
            description = "To change the budget: the `ETag` that you have read, or `*` for any revision. Leave it out \
                to create one",
        ),
    ),
    request_body = BudgetBody,
    responses(
        (
            status = 200,
            description = "The changed budget",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        (
            status = 201,
            description = "The new budget",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn set_user_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    condition: Condition,
    Body(body): Body<BudgetBody>,
) -> Set {
    set(&state, &caller, &Owner::User(user), condition, body).await
}

/// Delete the budget of a user
///
/// Spending of the user is then not limited.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}/budget",
    tag = "administration",
    params(("user" = String, Path, description = "Id of the user")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_user_budget(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    delete(&state, &caller, &Owner::User(user)).await
}

/// Get your budget
///
/// An administrator sets it. All of your requests count against it, except those with a key in the request itself.
#[utoipa::path(
    get,
    path = "/api/v1/me/budget",
    tag = "accounts",
    responses(
        (
            status = 200,
            description = "The budget and its use",
            body = BudgetReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_my_budget(State(state): State<AppState>, caller: Caller) -> Found {
    find(&state, &caller, &Owner::Me).await
}
