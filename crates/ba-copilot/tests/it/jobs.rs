//! Background jobs: each diagram is created once, whichever worker runs it or fails.
//!
//! Runs on both databases.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use llm::Scripted;
use serde_json::{Value, json};
use store::JobEnd;

use crate::app::{Reply, TestApp, eventually};

async fn request_job(app: &TestApp, body: Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/api/v1/generate/class-diagram")
        .header("content-type", "application/json")
        .header("prefer", "respond-async, wait=1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(body.to_string())).expect("a request")).await
}

async fn wait_for_end(app: &TestApp, job: &str) -> Value {
    eventually("the job ends", async || {
        let job = app.get(&format!("/api/v1/jobs/{job}")).await.json();
        ["done", "failed"].iter().any(|end| job["status"] == *end).then_some(job)
    })
    .await
}

fn id(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn background_job_creates_the_diagram_after_the_response() {
    let app = TestApp::builtin().await;
    let asked = request_job(&app, json!({"message": "A customer places orders."}), &[]).await;
    let job = id(&asked);
    assert_eq!(asked.headers["location"], format!("/api/v1/jobs/{job}"));
    assert_eq!(asked.headers["preference-applied"], "respond-async");
    assert_eq!((&asked.json()["status"], &asked.json()["attempts"]), (&json!("waiting"), &json!(0)));
    assert!(app.generations().await.is_empty(), "no worker is running yet");
    let work = app.work();
    let job = wait_for_end(&app, &job).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("done"), &json!(1)), "{job}");
    let diagram = job["diagram_id"].as_str().expect("an id");
    let diagram = app.get(&format!("/api/v1/diagrams/{diagram}")).await.json();
    assert_eq!(diagram["newest"]["validated"], json!(true), "{diagram}");
    let listed = app.get("/api/v1/projects/default/jobs").await.json();
    assert_eq!(listed["items"], json!([job]));

    // The list is paginated: completed jobs have a diagram, unfinished jobs have none.
    let mut jobs = vec![job];
    for number in 0..4 {
        app.wait_s(1);
        let asked =
            request_job(&app, json!({"message": format!("A customer places {number} orders.")}), &[]).await;
        jobs.insert(0, wait_for_end(&app, &id(&asked)).await);
    }
    drop(work);
    jobs.insert(0, request_job(&app, json!({"message": "A customer waits."}), &[]).await.json());
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/api/v1/projects/default/jobs?limit=2{next}")).await.json();
        seen.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&after={cursor}"),
            None => break,
        }
    }
    let made = |jobs: &[Value]| {
        jobs.iter().map(|job| (job["id"].clone(), job["diagram_id"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(made(&seen), made(&jobs));
    let diagrams: BTreeSet<String> =
        seen.iter().filter_map(|job| job["diagram_id"].as_str().map(str::to_owned)).collect();
    assert_eq!(diagrams.len(), 5);
}

#[tokio::test]
async fn invalid_background_job_is_rejected_immediately() {
    let app = TestApp::builtin().await;
    let message = json!({"message": "A customer places orders."});
    request_job(&app, json!({"message": " "}), &[]).await.problem(422, "invalid_input");
    request_job(&app, json!({"message": "x", "provider": "nobody"}), &[]).await.problem(422, "invalid_input");
    request_job(&app, json!({"message": "x", "project_id": "gone"}), &[]).await.problem(404, "not_found");
    let key =
        request_job(&app, message, &[("x-ai-api-key", "sk-canary")]).await.problem(422, "invalid_input");
    assert_eq!(key["errors"][0]["path"], "X-AI-API-Key");
    assert_eq!(app.get("/api/v1/projects/default/jobs").await.json()["items"], json!([]));
    app.get("/api/v1/jobs/gone").await.problem(404, "not_found");
}

#[tokio::test]
async fn failed_model_fails_the_job_with_a_reason() {
    let app = TestApp::scripted([Scripted::Fail(llm::LlmError::TimedOut { limit: llm::Limit::Total })]).await;
    let job =
        id(&request_job(&app, json!({"message": "A customer places orders.", "fallback": false}), &[]).await);
    let _work = app.work();
    let job = wait_for_end(&app, &job).await;
    assert_eq!(
        (&job["status"], &job["problem"]["code"]),
        (&json!("failed"), &json!("llm_timed_out")),
        "{job}"
    );
    assert!(job["generation_id"].is_string() && job["diagram_id"].is_null(), "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_workers_create_each_diagram_once() {
    let app = TestApp::builtin().await;
    let workers: Vec<_> = (0..3).map(|_| app.work()).collect();
    let mut jobs = Vec::new();
    for number in 0..30 {
        jobs.push(id(&request_job(
            &app,
            json!({"message": format!("A customer places order {number}.")}),
            &[],
        )
        .await));
    }
    let mut made = BTreeSet::new();
    for job in &jobs {
        let job = wait_for_end(&app, job).await;
        assert_eq!(job["status"], "done", "{job}");
        made.insert(job["diagram_id"].as_str().expect("an id").to_owned());
    }
    assert_eq!((made.len(), app.generations().await.len()), (30, 30));
    drop(workers);
}

#[tokio::test]
async fn expired_worker_loses_its_job_and_cannot_complete_it() {
    let app = TestApp::builtin().await;
    let job = id(&request_job(&app, json!({"message": "A customer places orders."}), &[]).await);
    let store = app.app.store.clone().expect("a store");
    let now = app.app.clock.now_us();
    let held = store.take_job("dead", now, now.plus_seconds(30), 1).await.expect("taken").expect("a job");
    assert_eq!((held.id.as_str(), held.attempts), (job.as_str(), 1));
    assert_eq!(
        store.take_job("other", now, now.plus_seconds(30), 1).await.expect("asked"),
        None,
        "the lease is held"
    );
    app.wait_s(31);
    let _work = app.work();
    let done = wait_for_end(&app, &job).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("done"), &json!(2)), "{done}");
    // The expired worker continues, and its writes have no effect.
    assert!(!store.renew_job_lease(&held.id, "dead", now.plus_seconds(900)).await.expect("asked"));
    let end = JobEnd::Failed("x: y".to_owned());
    assert!(!store.end_job(&held.id, "dead", now, &end).await.expect("asked"));
    let late = application::jobs::run_job(&app.app, &held, "dead").await.expect("carried out");
    assert!(late, "a job that is done already is not a failure");
    assert_eq!(app.generations().await.len(), 1, "the second diagram is rolled back");
    assert_eq!(wait_for_end(&app, &job).await, done);
}

#[tokio::test]
async fn job_that_kills_its_workers_is_abandoned() {
    let app = TestApp::builtin().await;
    let job = id(&request_job(&app, json!({"message": "A customer places orders."}), &[]).await);
    let store = app.app.store.clone().expect("a store");
    for round in 0..5 {
        let now = app.app.clock.now_us();
        let worker = format!("dead {round}");
        assert!(store.take_job(&worker, now, now.plus_seconds(30), 1).await.expect("taken").is_some());
        app.wait_s(31);
    }
    let _work = app.work();
    let job = wait_for_end(&app, &job).await;
    assert_eq!((&job["status"], &job["problem"]["code"]), (&json!("failed"), &json!("given_up")), "{job}");
}
