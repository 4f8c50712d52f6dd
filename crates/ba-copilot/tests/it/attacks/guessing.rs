//! Guessing passwords and codes: in parallel, through several processes, with a session, and through observable
//! differences in work.
//!
//! Runs on both databases.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::{Reply, TestApp, eventually},
    recovery::{code_now, second_factor},
    users::{Browser, PASSWORD, add, letters, set_up},
};

const SIGN_IN: &str = "/api/v1/sign-in";
const BEHIND_A_PROXY: (&str, &str) = ("BA_COPILOT__SERVER__PROXIES", "1");

fn request(method: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).expect("a method"))
        .uri(path)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_string())).expect("a request")
}

/// Another process on the same database.
async fn pair(variables: &[(&str, &str)]) -> [Arc<TestApp>; 2] {
    let one = TestApp::start(None, variables).await;
    let other = one.another(|_| ()).await;
    [Arc::new(one), Arc::new(other)]
}

/// Sends requests concurrently, to each process in turn, and counts the statuses. Rejected requests have `Retry-After`.
async fn at_once(apps: &[Arc<TestApp>], requests: Vec<Request<Body>>) -> BTreeMap<u16, usize> {
    let mut sending = tokio::task::JoinSet::new();
    for (number, request) in requests.into_iter().enumerate() {
        let app = Arc::clone(&apps[number % apps.len()]);
        sending.spawn(async move { app.send(request).await });
    }
    let mut statuses = BTreeMap::new();
    for reply in sending.join_all().await {
        if reply.status == 429 {
            assert!(wait_s(&reply) <= 900, "{:?}", reply.headers);
            reply.problem(429, "too_many");
        }
        *statuses.entry(reply.status.as_u16()).or_default() += 1;
    }
    statuses
}

fn wait_s(reply: &Reply) -> u64 {
    reply.headers["retry-after"].to_str().ok().and_then(|wait| wait.parse().ok()).expect("seconds")
}

/// The number of passwords that these processes have hashed.
fn hashed(apps: &[Arc<TestApp>]) -> u64 {
    apps.iter().map(|app| app.app.hashing.begun()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_password_guesses_are_limited_to_ten() {
    let apps = pair(&[]).await;
    let mut ada = set_up(&apps[0]).await;
    let before = hashed(&apps);
    let guess =
        |number: usize| json!({"email": "ada@example.com", "password": format!("guess number {number}")});
    let guesses = (0..400).map(|number| request("POST", SIGN_IN, &guess(number), &[])).collect();
    assert_eq!(at_once(&apps, guesses).await, BTreeMap::from([(401, 10), (429, 390)]));
    assert_eq!(hashed(&apps) - before, 10, "a rejected request computes no hash");
    // Now the correct password is also rejected, in every process; the known browser of the owner can sign in.
    let right = json!({"email": "ada@example.com", "password": PASSWORD});
    for app in &apps {
        app.post(SIGN_IN, right.clone()).await.problem(429, "too_many");
    }
    assert_eq!(ada.sign_in(&apps[1], "ada@example.com", PASSWORD).await.status, 200);
    apps[0].wait_s(899);
    assert_eq!(wait_s(&apps[1].post(SIGN_IN, right.clone()).await), 1);
    apps[0].wait_s(1);
    assert_eq!(apps[1].post(SIGN_IN, right).await.status, 200, "as `Retry-After` said");
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_code_guesses_are_limited_to_ten() {
    let apps = pair(&[]).await;
    let mut ada = set_up(&apps[0]).await;
    let (secret, recovery_codes) = second_factor(&apps[0], &mut ada).await;
    let half_way = json!({"email": "ada@example.com", "password": PASSWORD});
    let ticket = apps[0].post(SIGN_IN, half_way.clone()).await.json()["ticket"].clone();
    apps[0].wait_s(60);
    let right = code_now(&apps[0], &secret);
    // Half of them with a ticket, half with the password; none is correct.
    let guesses = (0..1500).map(|number| format!("{number:06}")).filter(|code| *code != right).map(|code| {
        match code.ends_with(['0', '2', '4', '6', '8']) {
            true => request("POST", "/api/v1/sign-in/code", &json!({"ticket": ticket, "code": code}), &[]),
            false => {
                let body = json!({"email": "ada@example.com", "password": PASSWORD, "code": code});
                request("POST", SIGN_IN, &body, &[])
            }
        }
    });
    let guesses: Vec<_> = guesses.collect();
    let sent = guesses.len();
    assert_eq!(at_once(&apps, guesses).await, BTreeMap::from([(401, 10), (429, sent - 10)]));
    for code in [right.as_str(), recovery_codes[0].as_str()] {
        let body = json!({"ticket": ticket, "code": code});
        apps[1].post("/api/v1/sign-in/code", body).await.problem(429, "too_many");
    }
    apps[0].wait_s(900);
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "code": code_now(&apps[0], &secret)});
    assert_eq!(apps[1].post(SIGN_IN, body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn successful_sign_in_uses_no_attempts() {
    let apps = pair(&[]).await;
    let mut ada = set_up(&apps[0]).await;
    add(&apps[0], &mut ada, "grace@example.com").await;
    let right = json!({"email": "grace@example.com", "password": PASSWORD});
    // More sign-ins than the limit of a network.
    for _ in 0..3 {
        let all = (0..45).map(|_| request("POST", SIGN_IN, &right, &[])).collect();
        let statuses = at_once(&apps, all).await;
        // At most ten at a time: an attempt is counted while its password is compared.
        assert!(
            statuses[&200] >= 10 && statuses.keys().all(|status| [200, 429].contains(status)),
            "{statuses:?}"
        );
    }
    for _ in 0..120 {
        // All of them, in sequence.
        assert_eq!(apps[0].post(SIGN_IN, right.clone()).await.status, 200);
    }
}

/// Operations that require the password of a signed-in user: method, path, body.
fn proofs(password: &str) -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("PUT", "/api/v1/me/password", json!({"old": password, "new": "a quite different sentence"})),
        ("DELETE", "/api/v1/me", json!({"password": password})),
        ("PUT", "/api/v1/me/email", json!({"email": "new@example.com", "password": password})),
        ("DELETE", "/api/v1/me/second-factor", json!({"password": password})),
        ("POST", "/api/v1/me/recovery-codes", json!({"password": password})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn password_confirmation_in_a_session_is_limited() {
    let apps = pair(&[]).await;
    let mut ada = set_up(&apps[0]).await;
    let mut grace = add(&apps[0], &mut ada, "grace@example.com").await;
    second_factor(&apps[0], &mut grace).await;
    let cookie = format!("bac_session={}", grace.cookies["bac_session"]);
    let headers = [("cookie", cookie.as_str())];
    // One counter for all of them, in all processes.
    let guesses = (0..100).flat_map(|number| proofs(&format!("guess number {number}")));
    let guesses: Vec<_> =
        guesses.map(|(method, path, body)| request(method, path, &body, &headers)).collect();
    assert_eq!(at_once(&apps, guesses).await, BTreeMap::from([(422, 10), (429, 490)]));
    for (method, path, body) in proofs(PASSWORD) {
        let refused = grace.send(&apps[1], method, path, body).await;
        assert_eq!(wait_s(&refused), 900, "{method} {path}");
        refused.problem(429, "too_many");
    }
    let form = [("action", "delete"), ("password", PASSWORD)];
    assert_eq!(grace.form(&apps[0], "/account", &form).await.status, 429);
    // Other users are not affected, and the window expires.
    let (method, path, body) = &proofs(PASSWORD)[0];
    assert_eq!(ada.send(&apps[0], method, path, body.clone()).await.status, 204);
    apps[0].wait_s(900);
    for _ in 0..3 {
        for (method, path, body) in proofs("wrong").into_iter().chain(proofs("wrong")).take(9) {
            grace.send(&apps[0], method, path, body).await.problem(422, "invalid_input");
        }
        // The correct password resets the counter.
        let (method, path, body) = &proofs(PASSWORD)[4];
        assert_eq!(grace.send(&apps[1], method, path, body.clone()).await.status, 201);
    }
}

/// Occupies every slot for password hashing.
async fn fill(app: &TestApp) -> Vec<OwnedSemaphorePermit> {
    let mut places = Vec::new();
    while app.app.hashing.free() > 0 {
        places.push(app.app.hashing.slot().await.expect("a place"));
    }
    places
}

#[tokio::test]
async fn password_hashing_queue_is_bounded_and_cancelled() {
    let app = Arc::new(TestApp::start(None, &[BEHIND_A_PROXY]).await);
    set_up(&app).await;
    let places = fill(&app).await;
    let (hashing, begun) = (app.app.hashing.clone(), app.app.hashing.begun());
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..hashing.max_waiting() {
        let app = Arc::clone(&app);
        let body = json!({"email": format!("{number}@example.com"), "password": PASSWORD});
        let from = format!("10.0.{}.{}", number / 250, number % 250);
        waiting.spawn(async move {
            app.send(request("POST", SIGN_IN, &body, &[("x-forwarded-for", from.as_str())])).await
        });
    }
    eventually("a full queue", async || (hashing.waiting() == hashing.max_waiting()).then_some(())).await;
    // A rejected request is not counted as an attempt.
    let right = json!({"email": "ada@example.com", "password": PASSWORD});
    for _ in 0..15 {
        let busy = app.post(SIGN_IN, right.clone()).await;
        assert!((1..=10).contains(&wait_s(&busy)));
        let problem = busy.problem(503, "busy");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("Try again in")),
            "{problem}"
        );
    }
    // A caller that disconnects leaves the queue, and no hash is computed.
    waiting.abort_all();
    while waiting.join_next().await.is_some() {}
    assert_eq!((hashing.waiting(), hashing.begun()), (0, begun));
    drop(places);
    assert_eq!(app.post(SIGN_IN, right).await.status, 200);
    assert_eq!(hashing.begun(), begun + 1);
}

#[tokio::test]
async fn sign_in_does_the_same_work_without_an_account() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    add(&app, &mut ada, "grace@example.com").await;
    let disabled = json!({"email": "disabled@example.com", "name": "D", "password": PASSWORD});
    let disabled = ada.send(&app, "POST", "/api/v1/users", disabled).await.json();
    let path = format!("/api/v1/users/{}", disabled["id"].as_str().expect("an id"));
    assert_eq!(ada.send(&app, "PATCH", &path, json!({"disabled": true})).await.status, 200);
    let no_password = json!({"email": "nopassword@example.com", "name": "N"});
    assert_eq!(ada.send(&app, "POST", "/api/v1/users", no_password).await.status, 201);
    let events = async |browser: &mut Browser| {
        let events = browser.get(&app, "/api/v1/audit-events?limit=200").await;
        events.text().matches("session.refuse").count()
    };
    let held = app.app.after_response.hold().await.expect("the queue");
    let mut answers = Vec::new();
    for (email, password, later) in [
        ("unknown@example.com", PASSWORD, 0),
        ("no address", PASSWORD, 0),
        ("grace@example.com", "wrong wrong wrong", 1),
        ("disabled@example.com", PASSWORD, 2),
        ("disabled@example.com", "wrong wrong wrong", 3),
        ("nopassword@example.com", "wrong wrong wrong", 4),
    ] {
        let begun = app.app.hashing.begun();
        // With the device cookie of another user.
        let mut browser = Browser { cookies: ada.cookies.clone() };
        browser.cookies.remove("bac_session");
        let mut problem = browser.sign_in(&app, email, password).await.problem(401, "sign_in");
        problem["request_id"] = Value::Null;
        answers.push(problem);
        assert_eq!(app.app.hashing.begun() - begun, 1, "{email}");
        assert_eq!(
            app.app.after_response.queued(),
            later,
            "the work for {email} is queued until after the response"
        );
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(events(&mut ada).await, 0);
    drop(held);
    eventually("the audit events", async || (app.app.after_response.queued() == 0).then_some(())).await;
    assert_eq!(events(&mut ada).await, 4);
}

#[tokio::test]
async fn password_reset_request_does_the_same_work_without_an_account() {
    let app = TestApp::builtin().await;
    set_up(&app).await;
    let held = app.app.after_response.hold().await.expect("the queue");
    let mut answers = Vec::new();
    for (number, email) in ["unknown@example.com", "ada@example.com"].into_iter().enumerate() {
        let reply = app.post("/api/v1/password-resets", json!({"email": email})).await;
        answers.push((reply.status.as_u16(), reply.bytes));
        let page = Browser::default().form(&app, "/forgot-password", &[("email", email)]).await;
        answers.push((page.status.as_u16(), page.headers["location"].as_bytes().to_vec()));
        assert_eq!(app.app.after_response.queued(), 2 * (number + 1), "{email}");
    }
    assert_eq!((&answers[0], &answers[1]), (&answers[2], &answers[3]));
    assert_eq!(answers[0], (202, Vec::new()));
    assert_eq!(letters(&app).len(), 0, "no message is sent before the response");
    drop(held);
    eventually("the letters", async || (app.app.after_response.queued() == 0).then_some(())).await;
    let sent = letters(&app);
    assert!(sent.len() == 2 && sent.iter().all(|letter| letter.contains("To: ada@example.com")), "{sent:?}");
    // The response is sent without a database query.
    app.app.store.as_ref().expect("a store").close().await;
    for email in ["unknown@example.com", "ada@example.com"] {
        assert_eq!(app.post("/api/v1/password-resets", json!({"email": email})).await.status, 202, "{email}");
    }
}
