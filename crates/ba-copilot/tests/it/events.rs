//! Events of a project: sent as they happen, to users with the permission to receive them.
//!
//! Runs on both databases.

use std::collections::BTreeSet;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    users::{Browser, add, id_of, invite, set_up},
};

/// A client of the event stream.
struct Listener {
    body: BodyDataStream,
    read: String,
}

/// A received event.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    action: String,
    data: Value,
}

impl Listener {
    async fn start(app: &TestApp, project: &str, token: Option<&str>, after: Option<&str>) -> Listener {
        let mut request = Request::get(format!("/api/v1/projects/{project}/events"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let answer = app.open(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut listener = Listener { body: answer.into_body().into_data_stream(), read: String::new() };
        assert_eq!(listener.block().await.as_deref(), Some(": following"));
        listener
    }

    /// The text before the next empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let block = block.to_owned();
                self.read = rest.to_owned();
                return Some(block);
            }
            let chunk = self.body.next().await?.expect("a chunk");
            self.read.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            if let (Some(id), Some(action), Some(data)) = (field("id:"), field("event:"), field("data:")) {
                return Some(Event { id, action, data: serde_json::from_str(&data).expect("JSON") });
            }
        }
    }
}

async fn diagram(app: &TestApp, who: &mut Browser, project: &str, title: &str) -> String {
    let body = json!({"title": title, "code": "classDiagram\n  class Order"});
    let made = who.send(app, "POST", &format!("/api/v1/projects/{project}/diagrams"), body).await;
    made.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn members_receive_permitted_events_until_they_leave() {
    let app = TestApp::builtin().await;
    let _work = app.work();
    let mut owner = set_up(&app).await;
    let project = owner.send(&app, "POST", "/api/v1/projects", json!({"name": "Shop"})).await.json();
    let project = project["id"].as_str().expect("an id").to_owned();
    let mut viewer = add(&app, &mut owner, "viewer@example.com").await;
    invite(&app, &mut owner, &project, &mut viewer, "viewer@example.com", "viewer").await;
    let of_owner = owner.token(&app, &["read"]).await;
    let of_viewer = viewer.token(&app, &["read"]).await;
    let mut owner_events = Listener::start(&app, &project, Some(&of_owner), None).await;
    let mut viewer_events = Listener::start(&app, &project, Some(&of_viewer), None).await;

    let body = json!({"email": "other@example.com", "role": "viewer"});
    owner.send(&app, "POST", &format!("/api/v1/projects/{project}/invitations"), body).await;
    // Events of another project are not sent.
    let other_project = owner.send(&app, "POST", "/api/v1/projects", json!({"name": "Other"})).await.json();
    diagram(&app, &mut owner, other_project["id"].as_str().expect("an id"), "Elsewhere").await;
    let made = diagram(&app, &mut owner, &project, "Orders").await;
    assert_eq!(owner_events.next().await.expect("an event").action, "invitation.create");
    let event = owner_events.next().await.expect("an event");
    assert_eq!((event.action.as_str(), &event.data["subject"]), ("diagram.create", &json!(made)));
    assert_eq!(viewer_events.next().await.expect("an event"), event, "only owners receive invitation events");
    assert!(event.data["details"].is_null(), "{event:?}");

    let user = id_of(&app, &mut viewer).await;
    let path = format!("/api/v1/projects/{project}/members/{user}");
    assert_eq!(owner.send(&app, "DELETE", &path, Value::Null).await.status, 204);
    diagram(&app, &mut owner, &project, "Secret orders").await;
    assert_eq!(viewer_events.next().await, None, "a removed member receives no more events");
    assert_eq!(owner_events.next().await.expect("an event").action, "member.delete");
    assert_eq!(owner_events.next().await.expect("an event").action, "diagram.create");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reconnected_listener_misses_no_event() {
    let app = TestApp::builtin().await;
    let _work = app.work();
    let path = "/api/v1/projects/default/requirements";
    let mut listener = Listener::start(&app, "default", None, None).await;
    assert_eq!(app.post(path, json!({"text": "First."})).await.status, 201);
    let first = listener.next().await.expect("an event");
    drop(listener);
    // While no listener is connected, and while one connects.
    assert_eq!(app.post(path, json!({"text": "While away."})).await.status, 201);
    let written = async {
        let writes = (0..60).map(|n| app.post(path, json!({"text": format!("Number {n}.")})));
        for reply in futures_util::future::join_all(writes).await {
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
    };
    let received = async {
        let mut listener = Listener::start(&app, "default", None, Some(&first.id)).await;
        let mut seen = BTreeSet::new();
        while seen.len() < 62 {
            let event = listener.next().await.expect("an event");
            assert_eq!(event.action, "requirement.create");
            // At least once: the last event may be sent again.
            seen.insert(event.data["id"].as_str().expect("an id").to_owned());
        }
        seen
    };
    let ((), seen) = tokio::join!(written, received);
    assert!(seen.contains(first.data["id"].as_str().expect("an id")));
    let request = Request::get("/api/v1/projects/default/events").header("last-event-id", "yesterday");
    let refused = app.send(request.body(Body::empty()).expect("a request")).await;
    refused.problem(422, "invalid_input");
}
