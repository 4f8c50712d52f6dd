//! Webhooks: other systems are told of what happens in a project.

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
    Delivery, Webhook,
    access::Caller,
    clock::rfc3339,
    webhooks::{self, WebhookChanges},
};

/// Who is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookReply {
    /// Its id.
    id: String,
    /// Of which project.
    project_id: String,
    /// Where.
    url: String,
    /// Of what: actions of the audit log, or `*` for all.
    events: Vec<String>,
    /// Nobody is told.
    disabled: bool,
    /// The secret that signs (Standard Webhooks). It is shown when it is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    secret: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
}

impl WebhookReply {
    fn of(webhook: Webhook, secret: Option<String>) -> Self {
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

/// Who is to be told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// Where: an https address that everybody can reach.
    #[schema(example = "https://hooks.example.com/ba-copilot", max_length = 2000)]
    url: String,
    /// Of what: actions of the audit log; all if not said.
    #[serde(default)]
    #[schema(example = json!(["diagram.update", "version.create"]), max_items = 50)]
    events: Vec<String>,
}

/// What is changed of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookBody {
    /// Where.
    url: Option<String>,
    /// Of what.
    events: Option<Vec<String>>,
    /// Tell nobody, or somebody again.
    #[schema(example = true)]
    disabled: Option<bool>,
    /// Make a new secret; the old one signs nothing any more.
    #[serde(default)]
    new_secret: bool,
}

/// What became of one attempt to tell.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryReply {
    /// Its id.
    id: String,
    /// The audit event; `webhook-id` of the message.
    event_id: String,
    /// 1 for the first attempt.
    #[schema(example = 1)]
    attempt: u32,
    /// HTTP status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 204)]
    status: Option<i64>,
    /// Why it failed, if it did; it is tried again for more than two days.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// When.
    at: String,
}

impl DeliveryReply {
    fn of(delivery: Delivery) -> Self {
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

/// Who is told of what happens in a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/webhooks", operation_id = "list_webhooks", tag = "webhooks", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, last made first", body = PageReply<WebhookReply>), Problems))]
pub async fn list_webhooks(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<WebhookReply>>, Pending> {
    let page = webhooks::list_webhooks(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, |webhook| WebhookReply::of(webhook, None))))
}

/// Tell somebody of what happens in a project
///
/// Each event is posted as JSON with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of the Standard Webhooks
/// specification, at least once and in no certain order; `webhook-id` tells whether it came before. What people wrote is not in
/// it: read it with a token.
#[utoipa::path(post, path = "/api/v1/projects/{project}/webhooks", operation_id = "create_webhook", tag = "webhooks", params(("project" = String, Path, description = "Its id")), request_body = WebhookBody, responses((status = 201, description = "The webhook, with its secret", body = WebhookReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn create_webhook(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Body(body): Body<WebhookBody>,
) -> Result<(StatusCode, HeaderMap, Json<WebhookReply>), Pending> {
    let (made, secret) =
        webhooks::create_webhook(&shared.app, &caller, &project, &body.url, &body.events).await?;
    let headers = etag(made.revision);
    Ok((StatusCode::CREATED, headers, Json(WebhookReply::of(made, Some(secret)))))
}

/// A webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook}", operation_id = "find_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Its id")), responses((status = 200, description = "The webhook, without its secret", body = WebhookReply, headers(("ETag" = String, description = "Its revision"))), Problems))]
pub async fn find_webhook(
    State(shared): State<Shared>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<(HeaderMap, Json<WebhookReply>), Pending> {
    let found = webhooks::find_webhook(&shared.app, &caller, &webhook).await?;
    Ok((etag(found.revision), Json(WebhookReply::of(found, None))))
}

/// Change a webhook
#[utoipa::path(patch, path = "/api/v1/webhooks/{webhook}", operation_id = "update_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "`ETag` of the one you have seen, or `*`")), request_body = UpdateWebhookBody, responses((status = 200, description = "The webhook, with its new secret if one was asked for", body = WebhookReply, headers(("ETag" = String, description = "Its revision"))), Problems, Changes))]
pub async fn update_webhook(
    State(shared): State<Shared>,
    caller: Caller,
    Path(webhook): Path<String>,
    Seen(seen): Seen,
    Body(body): Body<UpdateWebhookBody>,
) -> Result<(HeaderMap, Json<WebhookReply>), Pending> {
    let changes = WebhookChanges {
        url: body.url,
        events: body.events,
        disabled: body.disabled,
        new_secret: body.new_secret,
    };
    let (changed, secret) = webhooks::update_webhook(&shared.app, &caller, &webhook, seen, &changes).await?;
    Ok((etag(changed.revision), Json(WebhookReply::of(changed, secret))))
}

/// Tell nobody any more
#[utoipa::path(delete, path = "/api/v1/webhooks/{webhook}", operation_id = "delete_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Its id")), responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_webhook(
    State(shared): State<Shared>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<StatusCode, Pending> {
    webhooks::delete_webhook(&shared.app, &caller, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What became of the attempts to tell
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook}/deliveries", operation_id = "list_deliveries", tag = "webhooks", params(("webhook" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, newest first; they are kept for 30 days", body = PageReply<DeliveryReply>), Problems))]
pub async fn list_deliveries(
    State(shared): State<Shared>,
    caller: Caller,
    Path(webhook): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<DeliveryReply>>, Pending> {
    let page = webhooks::list_deliveries(&shared.app, &caller, &webhook, &query.into()).await?;
    Ok(Json(PageReply::of(page, DeliveryReply::of)))
}
