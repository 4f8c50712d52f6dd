//! Audit events: who changed what, when, and what it cost.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query};
use crate::{
    Shared,
    http::error::{Pending, Problems},
};
use application::{AuditEvent, access::Caller, clock::rfc3339, list_filters::AuditEventQuery, projects};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEventReply {
    /// Its id.
    id: String,
    /// When.
    at: String,
    /// Who; not there where nobody has to say who they are, and for the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Through which token, if through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// What was done.
    #[schema(example = "generation.create")]
    action: String,
    /// In which project, if in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    /// The id of what it was done to.
    subject: String,
    /// What else there is to know; of a call of a model its tokens and cost.
    #[schema(value_type = Object)]
    details: Value,
}

/// Which events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only those of this action; of every action that begins so, if it ends with a point. A page may then have fewer
    /// entries than asked for although there are more.
    #[param(example = "diagram.")]
    action: Option<String>,
    /// Only what this person did: their id.
    user: Option<String>,
    /// Only those of this moment and later ones.
    #[param(format = DateTime, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Only those before this moment.
    #[param(format = DateTime, example = "2100-01-01T00:00:00Z")]
    to: Option<String>,
}

impl From<EventsQuery> for AuditEventQuery {
    fn from(query: EventsQuery) -> Self {
        AuditEventQuery { action: query.action, user: query.user, from: query.from, to: query.to }
    }
}

impl AuditEventReply {
    pub(super) fn of(event: AuditEvent) -> Self {
        AuditEventReply {
            id: event.id.to_string(),
            at: rfc3339(event.at),
            user_id: event.user_id.map(|id| id.to_string()),
            token_id: event.token_id.map(|id| id.to_string()),
            action: event.action,
            project_id: event.project_id.map(|id| id.to_string()),
            subject: event.subject,
            // What is stored as JSON is JSON.
            details: event.details.decode().unwrap_or_default(),
        }
    }
}

/// What happened in a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/audit-events", operation_id = "list_project_events", tag = "projects", params(("project" = String, Path, description = "Its id"), EventsQuery, ListQuery), responses((status = 200, description = "A page of it, newest first", body = PageReply<AuditEventReply>), Problems))]
pub async fn list_project_events(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(asked): Query<EventsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<AuditEventReply>>, Pending> {
    let page =
        projects::list_project_events(&shared.app, &caller, &project, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::of(page, AuditEventReply::of)))
}

/// What happened on the server
#[utoipa::path(get, path = "/api/v1/audit-events", operation_id = "list_events", tag = "administration", params(EventsQuery, ListQuery), responses((status = 200, description = "A page of it, newest first", body = PageReply<AuditEventReply>), Problems))]
pub async fn list_events(
    State(shared): State<Shared>,
    caller: Caller,
    Query(asked): Query<EventsQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<AuditEventReply>>, Pending> {
    let page = projects::list_events(&shared.app, &caller, &asked.into(), &query.into()).await?;
    Ok(Json(PageReply::of(page, AuditEventReply::of)))
}
