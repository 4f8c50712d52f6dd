//! Webhooks that are delivered to a real server on loopback.
//!
//! Runs on both databases.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::{TestApp, eventually};

/// The received requests, and the responses to send in this order, then 204.
#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Receiver, String) {
        let receiver = Receiver::default();
        receiver.answers.lock().expect("answers").extend(answers.iter().rev());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let router = Router::new().route("/hook", post(Receiver::take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, address)
    }

    async fn take(
        State(receiver): State<Receiver>,
        headers: HeaderMap,
        body: Bytes,
    ) -> axum::http::StatusCode {
        let body = String::from_utf8(body.to_vec()).expect("text");
        receiver.received.lock().expect("came").push((headers, body));
        let status = receiver.answers.lock().expect("answers").pop().unwrap_or(204);
        axum::http::StatusCode::from_u16(status).expect("a status")
    }

    fn received(&self) -> Vec<(HeaderMap, String)> {
        self.received.lock().expect("came").clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<(HeaderMap, String)> {
        eventually("all deliveries arrive", async || Some(self.received()).filter(|came| came.len() >= count))
            .await
    }
}

async fn app() -> TestApp {
    TestApp::start(None, &[("BA_COPILOT__WEBHOOKS__ALLOW_PRIVATE", "true")]).await
}

async fn make(app: &TestApp, url: &str, events: &[&str]) -> (String, String) {
    let made = app.post("/api/v1/projects/default/webhooks", json!({"url": url, "events": events})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

async fn diagram(app: &TestApp, title: &str) -> String {
    let body = json!({"title": title, "code": "classDiagram\n  class Secretword"});
    app.post("/api/v1/projects/default/diagrams", body).await.json()["id"].as_str().expect("an id").to_owned()
}

async fn deliveries(app: &TestApp, webhook: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    eventually("deliveries", async || {
        let items = app.get(&path).await.json()["items"].as_array().expect("a list").clone();
        Some(items).filter(|items| items.len() >= count)
    })
    .await
}

/// Waits until no worker processes a delivery and one is scheduled for a retry.
async fn waiting(app: &TestApp) {
    let store = app.app.store.as_ref().expect("a store");
    let project = store::ProjectId::default_project();
    eventually("a delivery waits", async || {
        let page = store::PageRequest::first(10);
        let jobs = store.list_jobs(&project, store::JobKind::Deliver, &page).await.expect("jobs").items;
        Some(()).filter(|()| jobs.iter().any(|job| job.status == store::JobStatus::Waiting))
    })
    .await
}

/// Verifies a signature as a receiver does, by the specification.
fn is_signed(headers: &HeaderMap, body: &str, secret: &str) -> bool {
    let text = |name: &str| headers[name].to_str().expect("text").to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    text("webhook-signature").split(' ').any(|signature| {
        let bytes = STANDARD.decode(signature.strip_prefix("v1,").expect("v1")).expect("base64");
        hmac::verify(&key, signed.as_bytes(), &bytes).is_ok()
    })
}

#[tokio::test]
async fn webhook_is_signed_and_has_no_user_content() {
    let app = app().await;
    let _work = app.work();
    let (receiver, url) = Receiver::start(&[]).await;
    let (webhook, secret) = make(&app, &url, &["diagram.create"]).await;
    let id = diagram(&app, "Secrettitle").await;
    let came = receiver.wait_for(1).await;
    let (headers, body) = &came[0];
    assert!(is_signed(headers, body, &secret));
    assert!(!is_signed(headers, &format!("{body} "), &secret) && !is_signed(headers, body, "whsec_AAAA"));
    let message: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&message["type"], &message["data"]["subject"]),
        (&json!("diagram.create"), &json!(id)),
        "{message}"
    );
    assert_eq!(message["data"]["id"].as_str(), headers["webhook-id"].to_str().ok());
    assert!(!body.to_lowercase().contains("secret"), "{body}");
    let listed = deliveries(&app, &webhook, 1).await;
    assert_eq!(
        (&listed[0]["status"], &listed[0]["attempt"], listed.len()),
        (&json!(204), &json!(1), 1),
        "{listed:?}"
    );
    // After a rotation, the new secret signs.
    let path = format!("/api/v1/webhooks/{webhook}");
    let changed = patch(&app, &path, json!({"new_secret": true})).await;
    let new = changed["secret"].as_str().expect("a secret").to_owned();
    assert!(app.get(&path).await.json()["secret"].is_null());
    diagram(&app, "Another").await;
    let came = receiver.wait_for(2).await;
    assert!(is_signed(&came[1].0, &came[1].1, &new) && !is_signed(&came[1].0, &came[1].1, &secret));
}

async fn patch(app: &TestApp, path: &str, body: Value) -> Value {
    let request = axum::http::Request::patch(path)
        .header("content-type", "application/json")
        .header("if-match", "*")
        .body(axum::body::Body::from(body.to_string()));
    let changed = app.send(request.expect("a request")).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    changed.json()
}

#[tokio::test]
async fn failed_webhook_is_retried_and_disabled_webhook_is_not() {
    let app = app().await;
    let _work = app.work();
    let (receiver, url) = Receiver::start(&[500, 302]).await;
    let (webhook, secret) = make(&app, &url, &["diagram.create", "diagram.update"]).await;
    diagram(&app, "Orders").await;
    receiver.wait_for(1).await;
    for (number, seconds) in [(2, 6), (3, 61)] {
        waiting(&app).await;
        app.wait_s(seconds);
        app.app.events.wake_workers();
        receiver.wait_for(number).await;
    }
    let listed = deliveries(&app, &webhook, 3).await;
    let statuses: Vec<&Value> = listed.iter().rev().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [&json!(500), &json!(302), &json!(204)], "{listed:?}");
    let came = receiver.received();
    assert!(came.iter().all(|(headers, body)| is_signed(headers, body, &secret)));
    assert!(came.iter().all(|(headers, _)| headers["webhook-id"] == came[0].0["webhook-id"]));
    let path = format!("/api/v1/webhooks/{webhook}");
    patch(&app, &path, json!({"disabled": true})).await;
    let (other, url) = Receiver::start(&[]).await;
    make(&app, &url, &["diagram.create"]).await;
    diagram(&app, "More orders").await;
    other.wait_for(1).await;
    assert_eq!(receiver.received().len(), 3, "a disabled webhook receives nothing");
}

#[tokio::test]
async fn webhooks_to_internal_networks_are_rejected() {
    let app = TestApp::builtin().await;
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest",
        "x",
    ] {
        let refused = app.post("/api/v1/projects/default/webhooks", json!({"url": url})).await;
        let problem = refused.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], "url", "{url}");
    }
    for events in [json!(["Diagram"]), json!(["a b"]), json!(["*", "diagram.create"])] {
        let body = json!({"url": "https://example.com/", "events": events});
        let problem = app.post("/api/v1/projects/default/webhooks", body).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], "events");
    }
    for number in 0..20 {
        make(&app, &format!("https://example.com/{number}"), &[]).await;
    }
    let body = json!({"url": "https://example.com/"});
    app.post("/api/v1/projects/default/webhooks", body).await.problem(409, "conflict");
}
