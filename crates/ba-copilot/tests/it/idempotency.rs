//! Idempotency keys: a request runs once, even if its response was lost.
//!
//! Runs on both databases.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp},
    users::{add, set_up},
};

const PATH: &str = "/api/v1/projects/default/diagrams";

fn diagram(title: &str) -> Value {
    json!({"title": title, "code": "classDiagram\n  class Order"})
}

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()));
    app.send(request.expect("a request")).await
}

async fn count(app: &TestApp) -> usize {
    app.get(PATH).await.json()["items"].as_array().expect("a list").len()
}

#[tokio::test]
async fn repeated_request_runs_once_and_gets_the_same_response() {
    let app = TestApp::builtin().await;
    let first = post(&app, PATH, "one", &diagram("Orders")).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = post(&app, PATH, "one", &diagram("Orders")).await;
    assert_eq!((again.status, &again.bytes), (first.status, &first.bytes));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    for name in ["etag", "content-type"] {
        assert_eq!(again.headers[name], first.headers[name]);
    }
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(count(&app).await, 1);

    // A different key is a different request, and the same key with a different request is an error.
    assert_eq!(post(&app, PATH, "two", &diagram("Orders")).await.status, 201);
    let other = post(&app, PATH, "one", &diagram("Other orders")).await.problem(422, "invalid_input");
    assert_eq!(other["errors"][0]["path"], "Idempotency-Key");
    assert_eq!(count(&app).await, 2);

    // A day later the key can be used again.
    app.wait_s(24 * 3600 + 1);
    assert_eq!(post(&app, PATH, "one", &diagram("Other orders")).await.status, 201);
    assert_eq!(count(&app).await, 3);
}

#[tokio::test]
async fn request_without_effect_can_be_repeated() {
    let app = TestApp::builtin().await;
    post(&app, PATH, "key", &json!({"title": ""})).await.problem(422, "invalid_input");
    assert_eq!(post(&app, PATH, "key", &diagram("Orders")).await.status, 201);
    let gone = "/api/v1/projects/gone/diagrams";
    post(&app, gone, "gone", &diagram("Orders")).await.problem(404, "not_found");
    post(&app, gone, "gone", &diagram("Orders")).await.problem(404, "not_found");
    let checked = post(&app, "/api/v1/validate", "check", &json!({"code": "flowchart LR\n a"})).await;
    assert_eq!(checked.status, 200);
    let checked = post(&app, "/api/v1/validate", "check", &json!({"code": "flowchart LR\n b"})).await;
    assert_eq!(checked.status, 200, "a check changes nothing, so its key is free: {}", checked.text());
    for key in ["", "two words", "ä", &"x".repeat(256)] {
        let request = Request::post(PATH)
            .header("content-type", "application/json")
            .header("idempotency-key", key.as_bytes())
            .body(Body::from(diagram("Orders").to_string()));
        let refused = app.send(request.expect("a request")).await.problem(422, "invalid_input");
        assert_eq!(refused["errors"][0]["path"], "Idempotency-Key");
    }
    assert_eq!(count(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_with_one_key_run_once() {
    let app = TestApp::builtin().await;
    let asked = (0..24).map(|_| async {
        let body = json!({"message": "A customer places orders."});
        post(&app, "/api/v1/generate/class-diagram", "at-once", &body).await
    });
    let answers = futures_util::future::join_all(asked).await;
    let mut made = std::collections::BTreeSet::new();
    for answer in answers {
        if answer.status == 200 {
            made.insert(
                answer.json()["response"]["metadata"]["diagram_id"].as_str().expect("an id").to_owned(),
            );
        } else {
            answer.problem(409, "in_progress");
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(app.generations().await.len(), 1);
}

#[tokio::test]
async fn keys_belong_to_users_and_secrets_in_responses_are_encrypted() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let body = json!({"name": "ci", "scopes": ["read", "write"]});
    let headers = [("idempotency-key", "k")];
    let of_ada = ada.send_with(&app, "POST", "/api/v1/tokens", body.clone(), &headers).await;
    let of_grace = grace.send_with(&app, "POST", "/api/v1/tokens", body.clone(), &headers).await;
    assert_eq!((of_ada.status.as_u16(), of_grace.status.as_u16()), (201, 201), "{}", of_grace.text());
    assert_ne!(of_ada.json()["id"], of_grace.json()["id"]);
    let again = ada.send_with(&app, "POST", "/api/v1/tokens", body, &headers).await;
    assert_eq!(again.json(), of_ada.json());
    let secret = of_ada.json()["secret"].as_str().expect("a secret").to_owned();
    let mut stored = String::new();
    let store = app.app.store.as_ref().expect("a store");
    store.dump(|line| stored.push_str(line)).await.expect("a dump");
    assert!(stored.contains("idempotent_requests") && !stored.contains(&secret));
    // A key of another user has no effect.
    let refused = post(&app, "/api/v1/tokens", "k", &json!({})).await;
    refused.problem(401, "sign_in");
}

#[tokio::test]
async fn lost_response_is_not_created_twice() {
    let app = TestApp::builtin().await;
    let first = post(&app, PATH, "lost", &diagram("Orders")).await;
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    // The state after a process was killed between the change and storing the response.
    let store = app.app.store.as_ref().expect("a store");
    let mut attempts = Vec::new();
    store
        .dump(|line| {
            let row: Value = serde_json::from_str(line).expect("JSON");
            if let Some(request) = row.get("idempotent_requests") {
                let text = |name: &str| request[name].as_str().expect("text").to_owned();
                attempts.push((text("key_hash"), text("attempt")));
            }
        })
        .await
        .expect("a dump");
    let [(key_hash, attempt)] = &attempts[..] else { panic!("{attempts:?}") };
    store.end_request(key_hash, attempt, None).await.expect("stored");
    post(&app, PATH, "lost", &diagram("Orders")).await.problem(409, "in_progress");
    app.wait_s(60);
    let problem = post(&app, PATH, "lost", &diagram("Orders")).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&id)), "{problem}");
    assert_eq!(count(&app).await, 1);
}
