//! Webhooks of projects, signed by the Standard Webhooks specification (<https://www.standardwebhooks.com>).
//!
//! A delivery is queued in the transaction of the change, so that none is lost. It is sent at least once; the id of
//! the event identifies duplicates. A message contains no content: the receiver reads it with a token.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};
use store::{
    AuditEvent, AuditEventId, DataKeyId, Delivery, DeliveryId, Job, Role, StoreError, Webhook, WebhookId,
};

use super::{
    Error,
    access::{
        Caller, ProjectAccess, Scope, TRACE, authorize_project, authorize_resource, project_id,
        retry_on_conflict, store,
    },
    data_keys,
    job_outcome::{Outcome, follow_job},
    page::{Listing, Page},
    secrets::{self, Sealer},
};
use crate::{app::App, clock::rfc3339};
use telemetry::trace::{Kind, Span, TraceContext};

const MAX_URL_CHARS: usize = 2000;
/// Delays after each failure, in seconds, 2¼ days in all; after the last one the delivery fails.
const RETRY_DELAYS_S: [i64; 9] = [5, 60, 300, 1800, 7200, 14_400, 28_800, 57_600, 86_400];
/// Deliveries are listed this long.
pub(super) const DELIVERY_RETENTION_S: i64 = 30 * 24 * 3600;

fn context(id: &WebhookId) -> String {
    format!("webhook {id}")
}

fn events(words: &[String]) -> Result<String, Error> {
    let fits = |word: &String| {
        (1..=60).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.')
    };
    match words {
        [] => Ok("*".to_owned()),
        [all] if all == "*" => Ok("*".to_owned()),
        words if words.len() <= 50 && words.iter().all(fits) => Ok(words.join(" ")),
        _ => Err(Error::invalid(
            "events",
            "Events must be audit actions such as `diagram.update`, at most 50, or only `*` for all.",
        )),
    }
}

fn url(app: &App, text: &str) -> Result<String, Error> {
    if text.chars().count() > MAX_URL_CHARS {
        return Err(Error::invalid(
            "url",
            format!("An address must have at most {MAX_URL_CHARS} characters."),
        ));
    }
    app.safe_http.validate_url(text).map(String::from).map_err(|why| Error::invalid("url", why))
}

async fn authorize_webhook(app: &App, caller: &Caller, id: &str) -> Result<(Webhook, ProjectAccess), Error> {
    let id = WebhookId::parse(id).map_err(|_| Error::NotFound("webhook"))?;
    let found = store(app)?.find_webhook(&id).await?;
    let access = authorize_resource("webhook", app, caller, &found.project_id, Role::Owner).await?;
    caller.require_scope(Scope::Account)?;
    Ok((found, access))
}

pub async fn list_webhooks(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Webhook>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    caller.require_scope(Scope::Account)?;
    Ok(store(app)?.list_webhooks(&access.project.id, &listing.request()?).await?.into())
}

/// Creates a webhook. Its secret is returned only here.
pub async fn create_webhook(
    app: &App,
    caller: &Caller,
    project: &str,
    address: &str,
    wanted: &[String],
) -> Result<(Webhook, String), Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    caller.require_scope(Scope::Account)?;
    let store = store(app)?;
    let id = WebhookId::parse(app.clock.new_id("whk"))?;
    let (data_key_id, sealed, secret) = new_secret(app, &id).await?;
    let now = app.clock.now_us();
    let webhook = Webhook {
        project_id: access.project.id.clone(),
        url: url(app, address)?,
        events: events(wanted)?,
        data_key_id,
        sealed,
        revision: 1,
        disabled_at: None,
        created_by: caller.user_id().cloned(),
        created_at: now,
        updated_at: now,
        id,
    };
    let event = caller.audit_event(
        app,
        "webhook.create",
        Some(&webhook.project_id),
        webhook.id.as_str(),
        &json!({}),
    )?;
    store.create_webhook(&webhook, &event).await?;
    Ok((webhook, secret))
}

async fn new_secret(app: &App, id: &WebhookId) -> Result<(DataKeyId, String, String), Error> {
    let secret = format!("whsec_{}", STANDARD.encode(secrets::random::<32>()?));
    let (data_key_id, sealer) = data_keys::current(app).await?;
    let sealed = sealer.seal(&context(id), secret.as_bytes())?;
    Ok((data_key_id, sealed, secret))
}

pub async fn find_webhook(app: &App, caller: &Caller, id: &str) -> Result<Webhook, Error> {
    Ok(authorize_webhook(app, caller, id).await?.0)
}

#[derive(Debug, Clone, Default)]
pub struct WebhookChanges {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    pub disabled: Option<bool>,
    /// Create a new secret; the old one becomes invalid.
    pub new_secret: bool,
}

/// Updates a webhook, if the revision matches. Returns the new secret, if one was requested.
pub async fn update_webhook(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    changes: &WebhookChanges,
) -> Result<(Webhook, Option<String>), Error> {
    retry_on_conflict(expected_revision, || async {
        let (mut webhook, access) = authorize_webhook(app, caller, id).await?;
        webhook.revision = expected_revision.unwrap_or(webhook.revision);
        if let Some(text) = &changes.url {
            webhook.url = url(app, text)?;
        }
        if let Some(words) = &changes.events {
            webhook.events = events(words)?;
        }
        webhook.disabled_at = match changes.disabled {
            Some(true) => Some(webhook.disabled_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => webhook.disabled_at,
        };
        let mut shown = None;
        if changes.new_secret {
            let secret;
            (webhook.data_key_id, webhook.sealed, secret) = new_secret(app, &webhook.id).await?;
            shown = Some(secret);
        }
        let details = json!({"disabled": webhook.disabled_at.is_some(), "new_secret": changes.new_secret});
        let event = caller.audit_event(
            app,
            "webhook.update",
            Some(&access.project.id),
            webhook.id.as_str(),
            &details,
        )?;
        Ok((store(app)?.update_webhook(&webhook, &event).await?, shown))
    })
    .await
}

pub async fn delete_webhook(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (webhook, access) = authorize_webhook(app, caller, id).await?;
    let event = caller.audit_event(
        app,
        "webhook.delete",
        Some(&access.project.id),
        webhook.id.as_str(),
        &json!({}),
    )?;
    Ok(store(app)?.delete_webhook(&webhook.id, &event).await?)
}

/// Delivery attempts, newest first.
pub async fn list_deliveries(
    app: &App,
    caller: &Caller,
    id: &str,
    listing: &Listing,
) -> Result<Page<Delivery>, Error> {
    let (webhook, _) = authorize_webhook(app, caller, id).await?;
    Ok(store(app)?.list_deliveries(&webhook.id, &listing.request()?).await?.into())
}

/// Re-encrypts every secret with this data key.
pub(crate) async fn reseal(app: &App, id: &DataKeyId, sealer: &Sealer) -> Result<u64, Error> {
    let mut count = 0;
    loop {
        let webhooks = store(app)?.list_webhooks_sealed_otherwise(id).await?;
        if webhooks.is_empty() {
            return Ok(count);
        }
        for webhook in &webhooks {
            let secret = open(app, webhook).await?;
            let sealed = sealer.seal(&context(&webhook.id), secret.as_bytes())?;
            store(app)?.reseal_webhook(webhook, id, &sealed).await?;
            count += 1;
        }
    }
}

/// For some webhooks whose secret has another data key, whether it can be decrypted.
pub(crate) async fn list_readable(app: &App, but: &DataKeyId) -> Result<Vec<bool>, Error> {
    let mut readable = Vec::new();
    for webhook in store(app)?.list_webhooks_sealed_otherwise(but).await? {
        let opened =
            data_keys::open(app, &webhook.data_key_id, &context(&webhook.id), &webhook.sealed).await?;
        readable.push(opened.is_some());
    }
    Ok(readable)
}

async fn open(app: &App, webhook: &Webhook) -> Result<String, Error> {
    data_keys::open(app, &webhook.data_key_id, &context(&webhook.id), &webhook.sealed).await?.ok_or_else(|| {
        Error::Unavailable(format!(
            "The secret of webhook {} cannot be decrypted with the SECRET_KEY of this server. Set the SECRET_KEY \
             with which it was encrypted, or create a new secret.",
            webhook.id
        ))
    })
}

/// `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64.
fn sign(secret: &str, id: &str, timestamp_s: i64, body: &str) -> String {
    let bytes = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let signature = hmac::sign(&key, format!("{id}.{timestamp_s}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(signature))
}

fn message(event: &AuditEvent) -> String {
    json!({
        "type": event.action,
        "timestamp": rfc3339(event.at),
        "data": {
            "id": event.id.as_str(),
            "project_id": event.project_id.as_ref().map(|id| id.as_str()),
            "user_id": event.user_id.as_ref().map(|id| id.as_str()),
            "subject": event.subject,
        },
    })
    .to_string()
}

/// Runs a delivery job.
pub(super) async fn deliver(app: &App, job: &Job) -> Result<Outcome, Error> {
    let store = store(app)?;
    let unreadable = || Error::Internal("a delivery names no event".to_owned());
    let (event, webhook) = job.payload.split_once(' ').ok_or_else(unreadable)?;
    let (event, webhook) = (AuditEventId::parse(event)?, WebhookId::parse(webhook)?);
    let webhook = match store.find_webhook(&webhook).await {
        Ok(webhook) if webhook.disabled_at.is_none() => webhook,
        Ok(_) | Err(StoreError::NotFound { .. }) => {
            return Ok(Outcome::Done("not selected by the webhook".to_owned()));
        }
        Err(other) => return Err(other.into()),
    };
    let event = store.find_audit_event(&event).await?;
    let details: Value = event.details.decode().unwrap_or_default();
    let because = details[TRACE].as_str().and_then(TraceContext::parse);
    follow_job(because, job, send_event(app, job, &webhook, &event)).await
}

/// Sends an event to a webhook, once.
async fn send_event(app: &App, job: &Job, webhook: &Webhook, event: &AuditEvent) -> Result<Outcome, Error> {
    let store = store(app)?;
    let secret = open(app, webhook).await?;
    let target = app.safe_http.validate_url(&webhook.url).map_err(|why| Error::Conflict(why.to_owned()))?;
    let now = app.clock.now_us();
    let timestamp_s = now.as_micros().div_euclid(1_000_000);
    let body = message(event);
    let mut span = Span::child(Kind::Client, "POST");
    let trace =
        span.context().filter(|_| span.is_recording()).map(|trace| ("traceparent", trace.traceparent()));
    let mut headers = vec![
        ("webhook-id", event.id.to_string()),
        ("webhook-timestamp", timestamp_s.to_string()),
        ("webhook-signature", sign(&secret, event.id.as_str(), timestamp_s, &body)),
    ];
    headers.extend(trace);
    let begun = Instant::now();
    let answer = app.safe_http.post(&target, &headers, body).await;
    let duration: Duration = begun.elapsed();
    span.set_attribute("http.request.method", "POST");
    match &answer {
        Ok(status) => span.set_attribute("http.response.status_code", i64::from(*status)),
        Err(error) => span.set_error(error.word()),
    }
    drop(span);
    let (status, problem) = match answer {
        Ok(status @ 200..=299) => (Some(status), None),
        Ok(status) => (Some(status), Some(format!("the response status was {status}"))),
        Err(error) => (None, Some(error.to_string())),
    };
    metrics::counter!("ba_copilot_webhook_deliveries_total", "delivered" => problem.is_none().to_string())
        .increment(1);
    let delivery = Delivery {
        id: DeliveryId::parse(app.clock.new_id("dlv"))?,
        webhook_id: webhook.id.clone(),
        event_id: event.id.clone(),
        attempt: job.attempts.max(1),
        status: status.map(i64::from),
        problem: problem.clone(),
        duration_us: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
        created_at: now,
    };
    match store.record_delivery(&delivery).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => (),
        Err(other) => return Err(other.into()),
    }
    Ok(match problem {
        None => Outcome::Done("delivered".to_owned()),
        Some(problem) => {
            match RETRY_DELAYS_S.get(usize::try_from(job.attempts).unwrap_or(usize::MAX).saturating_sub(1)) {
                Some(pause) => Outcome::Again { after_s: *pause, why: problem },
                None => Outcome::Failed(problem),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_matches_the_specification() {
        // The example of the specification's own libraries.
        assert_eq!(
            sign(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                "{\"test\": 2432232314}"
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn event_filter_accepts_audit_actions() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (given, kept) in [
            (words(&[]), Some("*")),
            (words(&["*"]), Some("*")),
            (words(&["diagram.update", "trace_link.create"]), Some("diagram.update trace_link.create")),
            (words(&["*", "diagram.update"]), None),
            (words(&["two words"]), None),
            (words(&["%"]), None),
            (words(&[""]), None),
        ] {
            assert_eq!(events(&given).ok().as_deref(), kept, "{given:?}");
        }
    }
}
