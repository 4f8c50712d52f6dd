//! `/api/v1/audit-events` and `/api/v1/projects/{project}/audit-events`.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    extract::{ListQuery, Query},
    reply::PageReply,
};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{AuditEvent, access::Caller, clock::rfc3339, list_filters::AuditEventQuery, projects};

/// An audit event.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEventReply {
    /// Id of the event.
    id: String,
    /// Time of the event.
    at: String,
    /// Id of the user who acted. Absent for a server without accounts and for the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Id of the token that was used, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// The action.
    #[schema(example = "generation.create")]
    action: String,
    /// Id of the project, if the event belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    /// Id of the resource that was changed.
    subject: String,
    /// Further data by action; for a model call its tokens and cost.
    #[schema(value_type = Object)]
    details: Value,
}

/// Filters of a list of audit events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only events with this action, or whose action begins with this text if it ends with a period. A page may then
    /// have fewer than `limit` entries although more follow.
    #[param(example = "diagram.")]
    action: Option<String>,
    /// Only events of the user with this id.
    user: Option<String>,
    /// Only events at or after this time.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Only events before this time.
    #[param(format = DateTime, example = "2100-01-01T00:00:00Z")]
    to: Option<String>,
}

impl From<EventsQuery> for AuditEventQuery {
    fn from(query: EventsQuery) -> Self {
        AuditEventQuery { action: query.action, user: query.user, from: query.from, to: query.to }
    }
}

impl From<AuditEvent> for AuditEventReply {
    fn from(event: AuditEvent) -> Self {
        AuditEventReply {
            id: event.id.to_string(),
            at: rfc3339(event.at),
            user_id: event.user_id.map(|id| id.to_string()),
            token_id: event.token_id.map(|id| id.to_string()),
            action: event.action,
            project_id: event.project_id.map(|id| id.to_string()),
            subject: event.subject,
            // The column holds valid JSON.
            details: event.details.decode().unwrap_or_default(),
        }
    }
}

/// List the audit events of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/audit-events",
    tag = "projects",
    params(("project" = String, Path, description = "Id of the project"), EventsQuery, ListQuery),
    responses(
        (status = 200, description = "A page of audit events, newest first", body = PageReply<AuditEventReply>),
        Problems,
    ),
)]
pub async fn list_project_events(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(asked): Query<EventsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<AuditEventReply>>, ProblemResponse> {
    let page =
        projects::list_project_events(&state.app, &caller, &project, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::from_page(page, AuditEventReply::from)))
}

/// List the audit events of the server
#[utoipa::path(
    get,
    path = "/api/v1/audit-events",
    tag = "administration",
    params(EventsQuery, ListQuery),
    responses(
        (status = 200, description = "A page of audit events, newest first", body = PageReply<AuditEventReply>),
        Problems,
    ),
)]
pub async fn list_events(
    State(state): State<AppState>,
    caller: Caller,
    Query(asked): Query<EventsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<AuditEventReply>>, ProblemResponse> {
    let page = projects::list_events(&state.app, &caller, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::from_page(page, AuditEventReply::from)))
}
