//! Webhooks of a project.

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
    Delivery, Webhook,
    access::Caller,
    clock::rfc3339,
    webhooks::{self, WebhookChanges},
};

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookReply {
    /// Id of the webhook.
    id: String,
    /// Id of its project.
    project_id: String,
    /// URL that events are sent to.
    url: String,
    /// Actions of the audit log that are sent, or `*` for all.
    events: Vec<String>,
    /// Whether the webhook is disabled.
    disabled: bool,
    /// Secret that signs the messages (Standard Webhooks). Present only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    secret: Option<String>,
    /// When the webhook was created.
    created_at: String,
    /// When the webhook was last changed.
    updated_at: String,
}

impl WebhookReply {
    fn new(webhook: Webhook, secret: Option<String>) -> Self {
        WebhookReply {
            id: webhook.id.to_string(),
            project_id: webhook.project_id.to_string(),
            url: webhook.url,
            events: webhook.events.split(' ').map(str::to_owned).collect(),
            disabled: webhook.disabled_at.is_some(),
            secret,
            created_at: rfc3339(webhook.created_at),
            updated_at: rfc3339(webhook.updated_at),
        }
    }
}

/// A webhook to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// URL that events are sent to: a public https address.
    #[schema(example = "https://hooks.example.com/ba-copilot", max_length = 2000)]
    url: String,
    /// Actions of the audit log to send. Default: all.
    #[serde(default)]
    #[schema(example = json!(["diagram.update", "version.create"]), max_items = 50)]
    events: Vec<String>,
}

/// Changes to a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookBody {
    /// The new URL.
    url: Option<String>,
    /// The new list of actions.
    events: Option<Vec<String>>,
    /// `true` disables the webhook, `false` enables it.
    #[schema(example = true)]
    disabled: Option<bool>,
    /// Whether to create a new secret. The old one becomes invalid.
    #[serde(default)]
    new_secret: bool,
}

/// An attempt to deliver an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryReply {
    /// Id of the delivery.
    id: String,
    /// Id of the audit event; `webhook-id` of the message.
    event_id: String,
    /// Number of the attempt, from 1.
    #[schema(example = 1)]
    attempt: u32,
    /// HTTP status of the response, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 204)]
    status: Option<i64>,
    /// Why the attempt failed. Failed deliveries are repeated for more than two days.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Duration in milliseconds.
    duration_ms: i64,
    /// Time of the attempt.
    at: String,
}

impl From<Delivery> for DeliveryReply {
    fn from(delivery: Delivery) -> Self {
        DeliveryReply {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            attempt: delivery.attempt,
            status: delivery.status,
            problem: delivery.problem,
            duration_ms: delivery.duration_us / 1000,
            at: rfc3339(delivery.created_at),
        }
    }
}

/// List the webhooks of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/webhooks",
    tag = "webhooks",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses(
        (status = 200, description = "A page of webhooks, newest first", body = PageReply<WebhookReply>),
        Problems,
    ),
)]
pub async fn list_webhooks(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<WebhookReply>>, ProblemResponse> {
    let page = webhooks::list_webhooks(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, |webhook| WebhookReply::new(webhook, None))))
}

/// Create a webhook
///
/// Each event is sent as a JSON POST with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of the
/// Standard Webhooks specification, at least once and in no guaranteed order; `webhook-id` identifies repeated
/// messages. The message has no user content: read it with a token.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/webhooks",
    tag = "webhooks",
    params(("project" = String, Path, description = "Id of the project")),
    request_body = WebhookBody,
    responses(
        (
            status = 201,
            description = "The webhook, with its secret",
            body = WebhookReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn create_webhook(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<WebhookBody>,
) -> Result<(StatusCode, HeaderMap, Json<WebhookReply>), ProblemResponse> {
    let (made, secret) =
        webhooks::create_webhook(&state.app, &caller, &project, &body.url, &body.events).await?;
    let headers = etag(made.revision);
    Ok((StatusCode::CREATED, headers, Json(WebhookReply::new(made, Some(secret)))))
}

/// Get a webhook
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}",
    tag = "webhooks",
    params(("webhook" = String, Path, description = "Id of the webhook")),
    responses(
        (
            status = 200,
            description = "The webhook, without its secret",
            body = WebhookReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
    ),
)]
pub async fn find_webhook(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<(HeaderMap, Json<WebhookReply>), ProblemResponse> {
    let found = webhooks::find_webhook(&state.app, &caller, &webhook).await?;
    Ok((etag(found.revision), Json(WebhookReply::new(found, None))))
}

/// Update a webhook
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{webhook}",
    tag = "webhooks",
    params(
        ("webhook" = String, Path, description = "Id of the webhook"),
        IfMatch,
    ),
    request_body = UpdateWebhookBody,
    responses(
        (
            status = 200,
            description = "The webhook, with its new secret if one was requested",
            body = WebhookReply,
            headers(("ETag" = String, description = "The revision")),
        ),
        Problems,
        Changes,
    ),
)]
pub async fn update_webhook(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
    IfMatch(revision): IfMatch,
    Body(body): Body<UpdateWebhookBody>,
) -> Result<(HeaderMap, Json<WebhookReply>), ProblemResponse> {
    let changes = WebhookChanges {
        url: body.url,
        events: body.events,
        disabled: body.disabled,
        new_secret: body.new_secret,
    };
    let (changed, secret) =
        webhooks::update_webhook(&state.app, &caller, &webhook, revision, &changes).await?;
    Ok((etag(changed.revision), Json(WebhookReply::new(changed, secret))))
}

/// Delete a webhook
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{webhook}",
    tag = "webhooks",
    params(("webhook" = String, Path, description = "Id of the webhook")),
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_webhook(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    webhooks::delete_webhook(&state.app, &caller, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the deliveries of a webhook
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}/deliveries",
    tag = "webhooks",
    params(("webhook" = String, Path, description = "Id of the webhook"), ListQuery),
    responses(
        (
            status = 200,
            description = "A page of deliveries, newest first; they are kept for 30 days",
            body = PageReply<DeliveryReply>,
        ),
        Problems,
    ),
)]
pub async fn list_deliveries(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<DeliveryReply>>, ProblemResponse> {
    let page = webhooks::list_deliveries(&state.app, &caller, &webhook, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, DeliveryReply::from)))
}
