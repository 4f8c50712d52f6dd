//! Who may call what: every route, and everybody who might call it. A route that is not in the table fails the test.
//!
//! Runs on both databases.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use server::{api, http::identify::OPEN, openapi_document, pages};

use crate::{
    app::{Reply, TestApp},
    users::{add, code_of, id_of, invite, set_up},
};

/// Everybody who might call, in the order of the columns. The last one is the owner through a token without the scope.
const CALLERS: [&str; 7] = ["anonymous", "stranger", "viewer", "reviewer", "editor", "owner", "unscoped"];

type Expected = [u16; 7];

/// Only members see it.
const READS: Expected = [401, 404, 200, 200, 200, 200, 403];
/// Reviewers do it.
const REVIEWS: Expected = [401, 404, 403, 200, 200, 200, 403];
/// Editors change it.
const EDITS: Expected = [401, 404, 403, 403, 200, 200, 403];
const MAKES: Expected = [401, 404, 403, 403, 201, 201, 403];
/// Owners decide it.
const OWNS: Expected = [401, 404, 403, 403, 403, 200, 403];
/// Everybody does it for themselves.
const OWN: Expected = [401, 200, 200, 200, 200, 200, 403];
/// Everybody does it for themselves, signed in: with a token, nobody does.
const IN_PERSON: Expected = [401, 403, 403, 403, 403, 403, 403];
/// Only those who run the server; none of these does.
const RUNS: Expected = [401, 403, 403, 403, 403, 403, 403];
/// Pages send strangers to sign in.
const READS_PAGE: Expected = [303, 404, 200, 200, 200, 200, 403];

/// `{…}` stands for an id of the project; `{own}` for one of whoever calls.
fn table() -> Vec<(&'static str, &'static str, Value, Expected)> {
    let class = json!({"message": "A customer places orders."});
    let code = json!({"code": "classDiagram\n  class Order"});
    let diagram = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let password = json!({"password": "wrong"});
    // What is refused for its input got past every question of who asks.
    let tries = |before: Expected| before.map(|status| if status == 200 { 422 } else { status });
    vec![
        ("POST", "/api/v1/generate/class-diagram", class.clone(), OWN),
        (
            "POST",
            "/api/v1/generate/class-diagram?in",
            json!({"message": "A customer places orders.", "project_id": "{project}"}),
            EDITS,
        ),
        ("GET", "/api/v1/jobs/{job}", Value::Null, READS),
        ("GET", "/api/v1/projects/{project}/jobs", Value::Null, READS),
        ("GET", "/api/v1/projects/{project}/events", Value::Null, READS),
        ("GET", "/api/v1/projects/{project}/webhooks", Value::Null, OWNS),
        (
            "POST",
            "/api/v1/projects/{project}/webhooks",
            json!({"url": "https://hooks.example.com/x"}),
            OWNS.map(|s| if s == 200 { 201 } else { s }),
        ),
        ("GET", "/api/v1/webhooks/{webhook}", Value::Null, OWNS),
        ("GET", "/api/v1/webhooks/{webhook}/deliveries", Value::Null, OWNS),
        ("PATCH", "/api/v1/webhooks/{webhook}", json!({"disabled": true}), OWNS),
        // Gone after the owner has taken it away.
        ("DELETE", "/api/v1/webhooks/{webhook}", Value::Null, [401, 404, 403, 403, 403, 204, 404]),
        ("POST", "/api/v1/validate", code.clone(), OWN),
        ("POST", "/api/v1/repair", code.clone(), OWN),
        ("POST", "/api/v1/render", code.clone(), OWN),
        ("GET", "/api/v1/projects", Value::Null, OWN),
        ("POST", "/api/v1/projects", json!({"name": "Another"}), OWN.map(|s| if s == 200 { 201 } else { s })),
        ("GET", "/api/v1/projects/{project}", Value::Null, READS),
        ("PATCH", "/api/v1/projects/{project}", json!({"name": "Renamed"}), OWNS),
        ("GET", "/api/v1/projects/{project}/audit-events", Value::Null, OWNS),
        ("GET", "/api/v1/projects/{project}/audit-events/export", Value::Null, OWNS),
        ("GET", "/api/v1/projects/{project}/folders", Value::Null, READS),
        (
            "POST",
            "/api/v1/projects/{project}/folders",
            json!({"name": "Invoices"}),
            // It is there after the editor has made it.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("GET", "/api/v1/folders/{folder}", Value::Null, READS),
        ("PATCH", "/api/v1/folders/{folder}", json!({"name": "Bills"}), EDITS),
        // Gone after the editor has taken it away.
        ("DELETE", "/api/v1/folders/{folder}", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("GET", "/api/v1/projects/{project}/members", Value::Null, READS),
        (
            "PUT",
            "/api/v1/projects/{project}/members/{viewer}",
            json!({"role": "viewer"}),
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        // The viewer may leave, which comes before the owner could let them go.
        (
            "DELETE",
            "/api/v1/projects/{project}/members/{gone}",
            Value::Null,
            [401, 404, 403, 403, 403, 404, 403],
        ),
        ("GET", "/api/v1/projects/{project}/invitations", Value::Null, OWNS),
        (
            "POST",
            "/api/v1/projects/{project}/invitations",
            json!({"email": "new@example.com", "role": "viewer"}),
            OWNS.map(|s| if s == 200 { 201 } else { s }),
        ),
        (
            "DELETE",
            "/api/v1/projects/{project}/invitations/{invitation}",
            Value::Null,
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        ("POST", "/api/v1/invitations/accept", json!({"code": "no such code"}), tries(OWN)),
        ("GET", "/api/v1/projects/{project}/diagrams", Value::Null, READS),
        ("POST", "/api/v1/projects/{project}/diagrams", diagram, MAKES),
        ("GET", "/api/v1/diagrams/{diagram}", Value::Null, READS),
        ("PATCH", "/api/v1/diagrams/{diagram}", json!({"title": "Renamed"}), EDITS),
        ("GET", "/api/v1/diagrams/{diagram}/versions", Value::Null, READS),
        ("POST", "/api/v1/diagrams/{diagram}/versions", code, MAKES),
        ("GET", "/api/v1/diagrams/{diagram}/versions/1", Value::Null, READS),
        ("GET", "/api/v1/diagrams/{diagram}/versions/1/approvals", Value::Null, READS),
        (
            "POST",
            "/api/v1/diagrams/{diagram}/versions/1/approvals",
            json!({"decision": "approved"}),
            REVIEWS.map(|s| if s == 200 { 201 } else { s }),
        ),
        ("GET", "/api/v1/diagrams/{diagram}/comments", Value::Null, READS),
        (
            "POST",
            "/api/v1/diagrams/{diagram}/comments",
            json!({"body": "Who cancels?"}),
            REVIEWS.map(|s| if s == 200 { 201 } else { s }),
        ),
        ("PATCH", "/api/v1/comments/{comment}", json!({"resolved": true}), REVIEWS),
        ("GET", "/api/v1/diagrams/{diagram}/trace-links", Value::Null, READS),
        (
            "POST",
            "/api/v1/diagrams/{diagram}/trace-links",
            json!({"element": "Order", "requirement_id": "{requirement}"}),
            // It is there after the editor has made it.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("POST", "/api/v1/trace-links/{link}/confirm", Value::Null, REVIEWS),
        // Gone after the editor has taken it away.
        ("DELETE", "/api/v1/trace-links/{link}", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("GET", "/api/v1/projects/{project}/requirements", Value::Null, READS),
        ("POST", "/api/v1/projects/{project}/requirements", json!({"text": "One more."}), MAKES),
        (
            "POST",
            "/api/v1/projects/{project}/requirements/import",
            json!({"format": "text", "content": "One more."}),
            MAKES,
        ),
        ("GET", "/api/v1/requirements/{requirement}", Value::Null, READS),
        ("PATCH", "/api/v1/requirements/{requirement}", json!({"text": "Other words."}), EDITS),
        ("GET", "/api/v1/requirements/{requirement}/versions", Value::Null, READS),
        ("GET", "/api/v1/projects/{project}/baselines", Value::Null, READS),
        ("POST", "/api/v1/projects/{project}/baselines", json!({"name": "Release 1"}), MAKES),
        ("GET", "/api/v1/baselines/{baseline}", Value::Null, READS),
        ("GET", "/api/v1/projects/{project}/glossary", Value::Null, READS),
        (
            "POST",
            "/api/v1/projects/{project}/glossary",
            json!({"term": "Customer", "definition": "Who pays."}),
            // It is there after the editor has written it.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("PATCH", "/api/v1/terms/{term}", json!({"definition": "Something else."}), EDITS),
        ("DELETE", "/api/v1/terms/{term}", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("GET", "/api/v1/sessions", Value::Null, OWN),
        ("DELETE", "/api/v1/sessions/{foreign session}", Value::Null, [401, 404, 404, 404, 404, 404, 403]),
        ("GET", "/api/v1/me", Value::Null, OWN),
        ("PATCH", "/api/v1/me", json!({"name": "Somebody"}), OWN),
        ("DELETE", "/api/v1/me", password.clone(), tries(OWN)),
        ("GET", "/api/v1/me/export", Value::Null, OWN),
        ("PUT", "/api/v1/me/password", json!({"old": "wrong", "new": "x"}), IN_PERSON),
        ("PUT", "/api/v1/me/email", json!({"email": "x@example.com", "password": "wrong"}), IN_PERSON),
        ("POST", "/api/v1/me/verification", Value::Null, OWN.map(|s| if s == 200 { 202 } else { s })),
        ("POST", "/api/v1/me/second-factor", Value::Null, IN_PERSON),
        ("PUT", "/api/v1/me/second-factor", json!({"secret": "AAAA", "code": "1"}), IN_PERSON),
        ("DELETE", "/api/v1/me/second-factor", password, IN_PERSON),
        ("GET", "/api/v1/me/recovery-codes", Value::Null, OWN),
        ("POST", "/api/v1/me/recovery-codes", json!({"password": "wrong"}), IN_PERSON),
        ("GET", "/api/v1/me/identities", Value::Null, OWN),
        ("DELETE", "/api/v1/me/identities/{foreign identity}", Value::Null, IN_PERSON),
        ("GET", "/api/v1/me/provider-keys", Value::Null, OWN),
        (
            "PUT",
            "/api/v1/me/provider-keys/openrouter",
            json!({"key": "sk-or-0123456789"}),
            OWN.map(|s| if s == 200 { 204 } else { s }),
        ),
        (
            "DELETE",
            "/api/v1/me/provider-keys/gemini",
            Value::Null,
            OWN.map(|s| if s == 200 { 404 } else { s }),
        ),
        ("GET", "/api/v1/projects/{project}/provider-keys", Value::Null, [401, 404, 403, 403, 200, 200, 403]),
        (
            "PUT",
            "/api/v1/projects/{project}/provider-keys/openai",
            json!({"key": "sk-0123456789"}),
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        (
            "DELETE",
            "/api/v1/projects/{project}/provider-keys/openai",
            Value::Null,
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        ("GET", "/api/v1/projects/{project}/budget", Value::Null, [401, 404, 403, 403, 200, 200, 403]),
        ("PUT", "/api/v1/projects/{project}/budget", json!({"period": "month", "max_tokens": 1000}), OWNS),
        (
            "DELETE",
            "/api/v1/projects/{project}/budget",
            Value::Null,
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        // Nobody here has one.
        ("GET", "/api/v1/me/budget", Value::Null, OWN.map(|s| if s == 200 { 404 } else { s })),
        ("GET", "/api/v1/users/{viewer}/budget", Value::Null, RUNS),
        ("PUT", "/api/v1/users/{viewer}/budget", json!({"period": "day", "max_tokens": 1}), RUNS),
        ("DELETE", "/api/v1/users/{viewer}/budget", Value::Null, RUNS),
        ("GET", "/api/v1/tokens", Value::Null, OWN),
        ("POST", "/api/v1/tokens", json!({"name": "x", "scopes": ["read"]}), IN_PERSON),
        ("DELETE", "/api/v1/tokens/{foreign token}", Value::Null, [401, 404, 404, 404, 404, 404, 403]),
        ("GET", "/api/v1/users", Value::Null, RUNS),
        ("POST", "/api/v1/users", json!({"email": "x@example.com", "name": "X"}), RUNS),
        ("PATCH", "/api/v1/users/{viewer}", json!({"disabled": true}), RUNS),
        ("GET", "/api/v1/audit-events", Value::Null, RUNS),
        ("GET", "/api/v1/log-level", Value::Null, RUNS),
        ("PUT", "/api/v1/log-level", json!({"level": "info"}), RUNS),
        ("GET", "/api/v1/audit-events/export", Value::Null, RUNS),
        ("GET", "/", Value::Null, [303, 200, 200, 200, 200, 200, 403]),
        ("GET", "/account", Value::Null, READS_PAGE.map(|s| if s == 404 { 200 } else { s })),
        ("GET", "/projects", Value::Null, READS_PAGE.map(|s| if s == 404 { 200 } else { s })),
        ("GET", "/projects/{project}", Value::Null, READS_PAGE),
        ("GET", "/diagrams/{diagram}", Value::Null, READS_PAGE),
    ]
}

/// Pages whose forms call the same use-cases as the routes above, and those that a stranger may open.
const PAGES_TESTED_ELSEWHERE: [(&str, &str); 8] = [
    ("POST", "/"),
    ("POST", "/account"),
    ("POST", "/projects"),
    ("POST", "/projects/{project}"),
    ("POST", "/diagrams/{diagram}"),
    ("POST", "/sign-out"),
    ("GET", "/sign-in"),
    ("GET", "/set-up"),
];

/// `/a/{x}/b` without the names, so that a row with an id is the route.
fn shape(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('?').next().unwrap_or_default().split('/').skip(1) {
        let open =
            part.starts_with('{') || ["1", "class-diagram", "openrouter", "openai", "gemini"].contains(&part);
        out.push('/');
        out.push_str(if open { "{}" } else { part });
    }
    out
}

#[test]
fn every_route_is_in_the_table() {
    let document = serde_json::to_value(openapi_document()).expect("a document");
    let paths = document["paths"].as_object().expect("paths");
    let mut routes = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            if !OPEN.contains(&path.as_str()) {
                routes.insert((method.to_uppercase(), shape(path)));
            }
        }
    }
    let tested: BTreeSet<(String, String)> =
        table().iter().map(|(method, path, ..)| ((*method).to_owned(), shape(path))).collect();
    let missing: Vec<_> = routes.difference(&tested).collect();
    assert!(missing.is_empty(), "say in the table who may call {missing:?}");
    // What is served is documented, and what is documented is served.
    let served: BTreeSet<String> = api::table().iter().map(|(path, _)| shape(path)).collect();
    let documented: BTreeSet<String> =
        paths.keys().filter(|path| path.starts_with("/api/")).map(|path| shape(path)).collect();
    assert_eq!(served, documented);
    let pages: BTreeSet<String> =
        pages::pages().iter().map(|(path, _)| *path).filter(|path| !OPEN.contains(path)).map(shape).collect();
    let known: BTreeSet<String> = tested
        .iter()
        .map(|(_, path)| path.clone())
        .chain(PAGES_TESTED_ELSEWHERE.iter().map(|(_, path)| shape(path)))
        .collect();
    let missing: Vec<_> = pages.difference(&known).collect();
    assert!(missing.is_empty(), "say in the table who may open {missing:?}");
}

async fn ask(app: &TestApp, method: &str, path: &str, body: &Value, token: Option<&str>) -> Reply {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).expect("a method"))
        .uri(path)
        .header("content-type", "application/json")
        .header("if-match", "*");
    if !path.starts_with("/api/") {
        request = request.header("accept", "text/html");
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = request.body(body).expect("a request");
    if path.ends_with("/events") {
        // What is told there never ends; that it begins is enough.
        let answer = app.open(request).await;
        let (parts, body) = answer.into_parts();
        let told = if parts.status == 200 { Vec::new() } else { read(body).await };
        return Reply { status: parts.status, headers: parts.headers, bytes: told };
    }
    app.send(request).await
}

async fn read(body: Body) -> Vec<u8> {
    body.collect().await.expect("a body").to_bytes().to_vec()
}

#[tokio::test]
async fn each_role_has_exactly_its_permissions() {
    let app = TestApp::builtin().await;
    let mut admin = set_up(&app).await;
    let all = ["read", "write", "generate", "mcp", "account"];
    let mut owner = add(&app, &mut admin, "owner@example.com").await;
    let project = owner.send(&app, "POST", "/api/v1/projects", json!({"name": "Shop"})).await.json();
    let project = project["id"].as_str().expect("an id").to_owned();
    let mut tokens = vec![None];
    let mut ids = Vec::new();
    for role in ["stranger", "viewer", "reviewer", "editor"] {
        let email = format!("{role}@example.com");
        let mut person = add(&app, &mut admin, &email).await;
        if role != "stranger" {
            invite(&app, &mut owner, &project, &mut person, &email, role).await;
        }
        ids.push((role, id_of(&app, &mut person).await));
        tokens.push(Some(person.token(&app, &all).await));
    }
    tokens.push(Some(owner.token(&app, &all).await));
    // A scope, but never the one that is needed.
    let unscoped = [
        ("/api/v1/generate", "read"),
        ("/api/v1/validate", "read"),
        ("/api/v1/repair", "read"),
        ("/api/v1/render", "read"),
        ("", "generate"),
    ];
    let (mut reads, mut generates) = (String::new(), String::new());
    for (_, scope) in unscoped {
        match scope {
            "read" if reads.is_empty() => reads = owner.token(&app, &["read"]).await,
            "generate" if generates.is_empty() => generates = owner.token(&app, &["generate"]).await,
            _ => (),
        }
    }
    let sessions = admin.get(&app, "/api/v1/sessions").await.json();
    let foreign_session = sessions[0]["id"].as_str().expect("an id").to_owned();
    let made = admin.send(&app, "POST", "/api/v1/tokens", json!({"name": "x", "scopes": all})).await.json();
    let foreign_token = made["id"].as_str().expect("an id").to_owned();
    let body = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let diagram =
        owner.send(&app, "POST", &format!("/api/v1/projects/{project}/diagrams"), body).await.json();
    let diagram = diagram["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/projects/{project}/invitations");
    let invitation =
        owner.send(&app, "POST", &path, json!({"email": "later@example.com", "role": "viewer"})).await.json();
    assert!(!code_of(invitation["link"].as_str().expect("a link")).is_empty());
    let invitation = invitation["id"].as_str().expect("an id").to_owned();
    let mut make = async |path: String, body: Value| {
        let made = owner.send(&app, "POST", &path, body).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text());
        let made = made.json();
        let made = made.get(0).unwrap_or(&made);
        made["id"].as_str().expect("an id").to_owned()
    };
    let in_project = |what: &str| format!("/api/v1/projects/{project}/{what}");
    let of_diagram = |what: &str| format!("/api/v1/diagrams/{diagram}/{what}");
    let requirement = make(in_project("requirements"), json!({"text": "A customer places orders."})).await;
    let linked = json!({"element": "Shop", "requirement_id": requirement});
    let link = make(of_diagram("trace-links"), linked).await;
    let comment = make(of_diagram("comments"), json!({"body": "Hm."})).await;
    let folder = make(in_project("folders"), json!({"name": "Ordering"})).await;
    let baseline = make(in_project("baselines"), json!({"name": "Zero"})).await;
    let term = make(in_project("glossary"), json!({"term": "Order", "definition": "What is wanted."})).await;
    let webhook = make(
        in_project("webhooks"),
        json!({"url": "https://hooks.example.com/y", "events": ["member.update"]}),
    )
    .await;
    let path = "/api/v1/generate/class-diagram";
    let body = json!({"message": "A customer places orders.", "project_id": project});
    let asked = owner.send_with(&app, "POST", path, body, &[("prefer", "respond-async")]).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let job = asked.json()["id"].as_str().expect("an id").to_owned();
    let budget = json!({"period": "day", "max_tokens": 1});
    let made = owner.send(&app, "PUT", &in_project("budget"), budget).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let owner_id = id_of(&app, &mut owner).await;
    let viewer_id = ids[1].1.clone();

    let mut wrong = Vec::new();
    for (method, template, body, expected) in table() {
        let fill = |text: &str| {
            text.replace("{project}", &project)
                .replace("{diagram}", &diagram)
                .replace("{viewer}", &viewer_id)
                .replace("{gone}", "usr_gone")
                .replace("{invitation}", &invitation)
                .replace("{requirement}", &requirement)
                .replace("{link}", &link)
                .replace("{comment}", &comment)
                .replace("{folder}", &folder)
                .replace("{baseline}", &baseline)
                .replace("{term}", &term)
                .replace("{webhook}", &webhook)
                .replace("{job}", &job)
                .replace("{foreign session}", &foreign_session)
                .replace("{foreign token}", &foreign_token)
                .replace("{foreign identity}", "idn_foreign")
        };
        let path = fill(template);
        let body: Value = serde_json::from_str(&fill(&body.to_string())).expect("JSON");
        for (who, (caller, expected)) in CALLERS.iter().zip(expected).enumerate() {
            let token = match *caller {
                "unscoped" if unscoped[..4].iter().any(|(path, _)| template.starts_with(path)) => {
                    Some(reads.as_str())
                }
                "unscoped" => Some(generates.as_str()),
                _ => tokens[who].as_deref(),
            };
            let reply = ask(&app, method, &path, &body, token).await;
            if reply.status != expected {
                wrong.push(format!(
                    "{method} {template} by {caller}: {} instead of {expected}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.bytes).chars().take(200).collect::<String>()
                ));
            }
            if *caller == "stranger" || *caller == "anonymous" {
                let said = String::from_utf8_lossy(&reply.bytes).into_owned();
                for secret in [
                    &project,
                    &diagram,
                    &invitation,
                    &requirement,
                    &link,
                    &comment,
                    &folder,
                    &baseline,
                    &term,
                    &webhook,
                    &job,
                    &owner_id,
                    &viewer_id,
                    &foreign_session,
                ] {
                    let asked = path.contains(secret.as_str()) || body.to_string().contains(secret.as_str());
                    assert!(
                        asked || !said.contains(secret.as_str()),
                        "{method} {template} tells {caller} of {secret}"
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
