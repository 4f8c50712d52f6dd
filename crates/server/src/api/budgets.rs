//! Budgets of projects and people.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Seen, etag, if_match_needed};
use crate::{
    Shared,
    http::error::{Body, Changes, Pending, Problems},
};
use application::{
    Error,
    access::Caller,
    budgets::{self, BudgetInput, BudgetStatus, Owner, Precondition},
    clock::rfc3339,
};

/// A budget, and what is used of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetReply {
    /// `day`, `month` (of the calendar, in UTC) or `total`.
    #[schema(example = "month")]
    period: &'static str,
    /// How many tokens may be read and written in the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_000_000)]
    max_tokens: Option<i64>,
    /// How many millionths of a US dollar may be spent in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5_000_000)]
    max_micro_usd: Option<i64>,
    /// Tokens that are used, with what questions on their way may take at most.
    #[schema(example = 83_112)]
    used_tokens: i64,
    /// The same in millionths of a US dollar, as far as prices are known.
    #[schema(example = 91_250)]
    used_micro_usd: i64,
    /// Tokens that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 916_888)]
    remaining_tokens: Option<i64>,
    /// Millionths of a US dollar that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4_908_750)]
    remaining_micro_usd: Option<i64>,
    /// Since when use counts.
    period_start: String,
    /// When the budget is full again; not there if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    renews_at: Option<String>,
    /// When it was made.
    created_at: String,
    /// When its limits last changed.
    updated_at: String,
}

impl BudgetReply {
    fn of(standing: &BudgetStatus) -> Self {
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

/// The limits of a budget; at least one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetBody {
    /// `day`, `month` (of the calendar, in UTC) or `total`.
    #[schema(example = "month")]
    period: String,
    /// How many tokens may be read and written in the period, 0 or more.
    #[schema(example = 1_000_000)]
    max_tokens: Option<i64>,
    /// How many millionths of a US dollar may be spent in it, 0 or more. Models whose price is not known are not asked then.
    #[schema(example = 5_000_000)]
    max_micro_usd: Option<i64>,
}

/// What the caller says of the budget that is there: `If-Match` to change it, and without, or with `If-None-Match: *`, that
/// there is none.
pub struct Condition {
    known: Precondition,
    /// They said so themselves.
    said: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = Pending;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Pending> {
        if parts.headers.contains_key(header::IF_MATCH) {
            let Seen(seen) = Seen::from_request_parts(parts, state).await?;
            return Ok(Condition { known: Precondition::Some(seen), said: true });
        }
        Ok(Condition { known: Precondition::None, said: parts.headers.contains_key(header::IF_NONE_MATCH) })
    }
}

type Found = Result<(HeaderMap, Json<BudgetReply>), Pending>;
type Set = Result<(StatusCode, HeaderMap, Json<BudgetReply>), Pending>;

async fn find(shared: &Shared, caller: &Caller, owner: &Owner) -> Found {
    let standing = budgets::find_budget(&shared.app, caller, owner).await?;
    Ok((etag(standing.budget.revision), Json(BudgetReply::of(&standing))))
}

async fn set(shared: &Shared, caller: &Caller, owner: &Owner, condition: Condition, body: BudgetBody) -> Set {
    let BudgetBody { period, max_tokens, max_micro_usd } = body;
    let wanted = BudgetInput { period, max_tokens, max_micro_usd };
    let (standing, new) =
        match budgets::set_budget(&shared.app, caller, owner, &wanted, condition.known).await {
            Err(Error::RevisionMismatch(_)) if !condition.said => return Err(if_match_needed()),
            set => set?,
        };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, etag(standing.budget.revision), Json(BudgetReply::of(&standing))))
}

async fn delete(shared: &Shared, caller: &Caller, owner: &Owner) -> Result<StatusCode, Pending> {
    budgets::delete_budget(&shared.app, caller, owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The budget of a project
///
/// What is asked with the key of the project or of the server is paid from it.
#[utoipa::path(get, path = "/api/v1/projects/{project}/budget", operation_id = "find_project_budget", tag = "projects", params(("project" = String, Path, description = "Its id")), responses((status = 200, description = "The budget, and what is used of it", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_project_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
) -> Found {
    find(&shared, &caller, &Owner::Project(project)).await
}

/// Set the budget of a project
///
/// What was used stays used. Taken away and made again, it is full.
#[utoipa::path(put, path = "/api/v1/projects/{project}/budget", operation_id = "set_project_budget", tag = "projects", params(("project" = String, Path, description = "Its id"), ("If-Match" = Option<String>, Header, description = "`ETag` of the one you have seen, or `*`, to change it; without it, one is made")), request_body = BudgetBody, responses((status = 200, description = "Changed", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), (status = 201, description = "Made", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn set_project_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    condition: Condition,
    Body(body): Body<BudgetBody>,
) -> Set {
    set(&shared, &caller, &Owner::Project(project), condition, body).await
}

/// Take the budget of a project away
///
/// From then on nothing limits what it spends.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/budget", operation_id = "delete_project_budget", tag = "projects", params(("project" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_project_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<StatusCode, Pending> {
    delete(&shared, &caller, &Owner::Project(project)).await
}

/// The budget of somebody
///
/// Everything that they ask is paid from it, but what they bring a key for with the request itself.
#[utoipa::path(get, path = "/api/v1/users/{user}/budget", operation_id = "find_user_budget", tag = "administration", params(("user" = String, Path, description = "Their id")), responses((status = 200, description = "The budget, and what is used of it", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_user_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(user): Path<String>,
) -> Found {
    find(&shared, &caller, &Owner::User(user)).await
}

/// Set the budget of somebody
///
/// What was used stays used. Taken away and made again, it is full.
#[utoipa::path(put, path = "/api/v1/users/{user}/budget", operation_id = "set_user_budget", tag = "administration", params(("user" = String, Path, description = "Their id"), ("If-Match" = Option<String>, Header, description = "`ETag` of the one you have seen, or `*`, to change it; without it, one is made")), request_body = BudgetBody, responses((status = 200, description = "Changed", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), (status = 201, description = "Made", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn set_user_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(user): Path<String>,
    condition: Condition,
    Body(body): Body<BudgetBody>,
) -> Set {
    set(&shared, &caller, &Owner::User(user), condition, body).await
}

/// Take the budget of somebody away
///
/// From then on nothing limits what they spend.
#[utoipa::path(delete, path = "/api/v1/users/{user}/budget", operation_id = "delete_user_budget", tag = "administration", params(("user" = String, Path, description = "Their id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_user_budget(
    State(shared): State<Shared>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<StatusCode, Pending> {
    delete(&shared, &caller, &Owner::User(user)).await
}

/// Your budget
///
/// Set by an administrator. Everything that you ask is paid from it, but what you bring a key for with the request itself.
#[utoipa::path(get, path = "/api/v1/me/budget", operation_id = "find_my_budget", tag = "accounts", responses((status = 200, description = "The budget, and what is used of it", body = BudgetReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_my_budget(State(shared): State<Shared>, caller: Caller) -> Found {
    find(&shared, &caller, &Owner::Me).await
}
