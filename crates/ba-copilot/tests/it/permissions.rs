//! Access control: every route with every role. A route that is missing in the table fails the test.
//!
//! Runs on both databases.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use server::{ACCESS_BY_PATH, openapi_document};

use crate::{
    app::{Reply, TestApp},
    users::{add, code_of, id_of, invite, set_up},
};

/// The callers, in the order of the columns. The last one is the owner with a token without the required scope.
const CALLERS: [&str; 7] = ["anonymous", "stranger", "viewer", "reviewer", "editor", "owner", "unscoped"];

type Expected = [u16; 7];

/// Members of the project.
const READS: Expected = [401, 404, 200, 200, 200, 200, 403];
/// Reviewers and above.
const REVIEWS: Expected = [401, 404, 403, 200, 200, 200, 403];
/// Editors and above.
const EDITS: Expected = [401, 404, 403, 403, 200, 200, 403];
const MAKES: Expected = [401, 404, 403, 403, 201, 201, 403];
/// Owners.
const OWNS: Expected = [401, 404, 403, 403, 403, 200, 403];
/// Every user, for the own account.
const OWN: Expected = [401, 200, 200, 200, 200, 200, 403];
/// Every user in a session, for the own account; tokens are rejected.
const IN_PERSON: Expected = [401, 403, 403, 403, 403, 403, 403];
/// Administrators only; no caller of the table is one.
const RUNS: Expected = [401, 403, 403, 403, 403, 403, 403];
/// Pages redirect unauthenticated callers to sign-in.
const READS_PAGE: Expected = [303, 404, 200, 200, 200, 200, 403];

/// An operation of the API with path parameters that differ from [`default_of`], or the method and path of a page.
/// `{…}` stands for an id that the test creates.
fn table() -> Vec<(&'static str, Value, Expected)> {
    let class = json!({"message": "A customer places orders."});
    let code = json!({"code": "classDiagram\n  class Order"});
    let diagram = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let password = json!({"password": "wrong"});
    // A request that is rejected for its input has passed the access check.
    let tries = |before: Expected| before.map(|status| if status == 200 { 422 } else { status });
    vec![
        ("generate_diagram diagram=class-diagram", class.clone(), OWN),
        (
            "generate_diagram diagram=class-diagram",
            json!({"message": "A customer places orders.", "project_id": "{project}"}),
            EDITS,
        ),
        ("find_job", Value::Null, READS),
        ("list_jobs", Value::Null, READS),
        ("follow_project", Value::Null, READS),
        ("list_webhooks", Value::Null, OWNS),
        (
            "create_webhook",
            json!({"url": "https://hooks.example.com/x"}),
            OWNS.map(|s| if s == 200 { 201 } else { s }),
        ),
        ("find_webhook", Value::Null, OWNS),
        ("list_deliveries", Value::Null, OWNS),
        ("update_webhook", json!({"disabled": true}), OWNS),
        // Deleted by the owner before.
        ("delete_webhook", Value::Null, [401, 404, 403, 403, 403, 204, 404]),
        ("validate_code", code.clone(), OWN),
        ("repair_code", code.clone(), OWN),
        ("render_code", code.clone(), OWN),
        ("compare_diagrams", json!({"old": "classDiagram", "new": "classDiagram"}), OWN),
        ("patch_diagram", json!({"code": "classDiagram\n  class Order", "operations": []}), OWN),
        ("patch_diagram", json!({"diagram_id": "{diagram}", "operations": []}), READS),
        ("list_projects", Value::Null, OWN),
        ("create_project", json!({"name": "Another"}), OWN.map(|s| if s == 200 { 201 } else { s })),
        ("find_project", Value::Null, READS),
        ("update_project", json!({"name": "Renamed"}), OWNS),
        ("list_project_events", Value::Null, OWNS),
        ("export_project_events", Value::Null, OWNS),
        ("list_folders", Value::Null, READS),
        (
            "create_folder",
            json!({"name": "Invoices"}),
            // Created by the editor before.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("find_folder", Value::Null, READS),
        ("update_folder", json!({"name": "Bills"}), EDITS),
        // Deleted by the editor before.
        ("delete_folder", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("list_members", Value::Null, READS),
        ("update_member", json!({"role": "viewer"}), OWNS.map(|s| if s == 200 { 204 } else { s })),
        // Members may leave a project, so the id of the viewer would be removed before the owner's request.
        ("delete_member user=usr_gone", Value::Null, [401, 404, 403, 403, 403, 404, 403]),
        ("list_invitations", Value::Null, OWNS),
        (
            "create_invitation",
            json!({"email": "new@example.com", "role": "viewer"}),
            OWNS.map(|s| if s == 200 { 201 } else { s }),
        ),
        ("delete_invitation", Value::Null, OWNS.map(|s| if s == 200 { 204 } else { s })),
        ("accept_invitation", json!({"code": "no such code"}), tries(OWN)),
        ("list_diagrams", Value::Null, READS),
        ("create_diagram", diagram, MAKES),
        ("find_diagram", Value::Null, READS),
        ("update_diagram", json!({"title": "Renamed"}), EDITS),
        ("list_versions", Value::Null, READS),
        ("create_version", code, MAKES),
        ("find_version", Value::Null, READS),
        ("restore_version", Value::Null, MAKES),
        ("list_approvals", Value::Null, READS),
        ("create_approval", json!({"decision": "approved"}), REVIEWS.map(|s| if s == 200 { 201 } else { s })),
        ("list_comments", Value::Null, READS),
        ("create_comment", json!({"body": "Who cancels?"}), REVIEWS.map(|s| if s == 200 { 201 } else { s })),
        ("resolve_comment", json!({"resolved": true}), REVIEWS),
        ("list_trace_links", Value::Null, READS),
        (
            "create_trace_link",
            json!({"element": "Order", "requirement_id": "{requirement}"}),
            // Created by the editor before.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("confirm_trace_link", Value::Null, REVIEWS),
        // Deleted by the editor before.
        ("delete_trace_link", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("list_requirements", Value::Null, READS),
        ("create_requirement", json!({"text": "One more."}), MAKES),
        ("import_requirements", json!({"format": "text", "content": "One more."}), MAKES),
        ("find_requirement", Value::Null, READS),
        ("update_requirement", json!({"text": "Other words."}), EDITS),
        ("list_requirement_versions", Value::Null, READS),
        ("list_baselines", Value::Null, READS),
        ("create_baseline", json!({"name": "Release 1"}), MAKES),
        ("find_baseline", Value::Null, READS),
        ("list_terms", Value::Null, READS),
        (
            "create_term",
            json!({"term": "Customer", "definition": "Who pays."}),
            // Created by the editor before.
            [401, 404, 403, 403, 201, 409, 403],
        ),
        ("update_term", json!({"definition": "Something else."}), EDITS),
        ("delete_term", Value::Null, [401, 404, 403, 403, 204, 404, 404]),
        ("list_sessions", Value::Null, OWN),
        ("delete_session", Value::Null, [401, 404, 404, 404, 404, 404, 403]),
        ("find_me", Value::Null, OWN),
        ("update_me", json!({"name": "Somebody"}), OWN),
        ("delete_me", password.clone(), tries(OWN)),
        ("export_me", Value::Null, OWN),
        ("update_password", json!({"old": "wrong", "new": "x"}), IN_PERSON),
        ("update_email", json!({"email": "x@example.com", "password": "wrong"}), IN_PERSON),
        ("create_verification", Value::Null, OWN.map(|s| if s == 200 { 202 } else { s })),
        ("offer_second_factor", Value::Null, IN_PERSON),
        ("set_second_factor", json!({"secret": "AAAA", "code": "1"}), IN_PERSON),
        ("delete_second_factor", password, IN_PERSON),
        ("count_recovery_codes", Value::Null, OWN),
        ("create_recovery_codes", json!({"password": "wrong"}), IN_PERSON),
        ("list_identities", Value::Null, OWN),
        ("delete_identity", Value::Null, IN_PERSON),
        ("list_my_provider_keys", Value::Null, OWN),
        (
            "set_my_provider_key",
            json!({"key": "sk-or-0123456789"}),
            OWN.map(|s| if s == 200 { 204 } else { s }),
        ),
        ("delete_my_provider_key provider=gemini", Value::Null, OWN.map(|s| if s == 200 { 404 } else { s })),
        ("list_project_provider_keys", Value::Null, [401, 404, 403, 403, 200, 200, 403]),
        (
            "set_project_provider_key",
            json!({"key": "sk-0123456789"}),
            OWNS.map(|s| if s == 200 { 204 } else { s }),
        ),
        ("delete_project_provider_key", Value::Null, OWNS.map(|s| if s == 200 { 204 } else { s })),
        ("find_project_budget", Value::Null, [401, 404, 403, 403, 200, 200, 403]),
        ("set_project_budget", json!({"period": "month", "max_tokens": 1000}), OWNS),
        ("delete_project_budget", Value::Null, OWNS.map(|s| if s == 200 { 204 } else { s })),
        // No caller has a budget.
        ("find_my_budget", Value::Null, OWN.map(|s| if s == 200 { 404 } else { s })),
        ("find_user_budget", Value::Null, RUNS),
        ("set_user_budget", json!({"period": "day", "max_tokens": 1}), RUNS),
        ("delete_user_budget", Value::Null, RUNS),
        ("list_tokens", Value::Null, OWN),
        ("create_token", json!({"name": "x", "scopes": ["read"]}), IN_PERSON),
        ("delete_token", Value::Null, [401, 404, 404, 404, 404, 404, 403]),
        ("list_users", Value::Null, RUNS),
        ("create_user", json!({"email": "x@example.com", "name": "X"}), RUNS),
        ("update_user", json!({"disabled": true}), RUNS),
        ("list_events", Value::Null, RUNS),
        ("find_log_level", Value::Null, RUNS),
        ("update_log_level", json!({"level": "info"}), RUNS),
        ("export_events", Value::Null, RUNS),
        ("GET /", Value::Null, [303, 200, 200, 200, 200, 200, 403]),
        ("GET /account", Value::Null, READS_PAGE.map(|s| if s == 404 { 200 } else { s })),
        ("GET /projects", Value::Null, READS_PAGE.map(|s| if s == 404 { 200 } else { s })),
        ("GET /projects/{project}", Value::Null, READS_PAGE),
        ("GET /diagrams/{diagram}", Value::Null, READS_PAGE),
        ("GET /diagrams/{diagram}/versions/{file}", Value::Null, READS_PAGE),
    ]
}

/// Pages whose forms call the same use cases as the routes above, and pages without authentication.
const PAGES_WITH_OTHER_TESTS: [(&str, &str); 8] = [
    ("POST", "/"),
    ("POST", "/account"),
    ("POST", "/projects"),
    ("POST", "/projects/{project}"),
    ("POST", "/diagrams/{diagram}"),
    ("POST", "/sign-out"),
    ("GET", "/sign-in"),
    ("GET", "/set-up"),
];

/// The value of a path parameter.
fn default_of(parameter: &str) -> String {
    match parameter {
        "number" => "1".to_owned(),
        "provider" => "openai".to_owned(),
        "user" => "{viewer}".to_owned(),
        "session" | "token" | "identity" => format!("{{foreign {parameter}}}"),
        other => format!("{{{other}}}"),
    }
}

/// The method and the path of each operation, by its id.
fn operations() -> BTreeMap<String, (String, String)> {
    let document = serde_json::to_value(openapi_document()).expect("a document");
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            operations.insert(id, (method.to_uppercase(), path.clone()));
        }
    }
    operations
}

/// The method and the path of a row.
fn target(row: &str, operations: &BTreeMap<String, (String, String)>) -> (String, String) {
    let mut words = row.split(' ');
    let first = words.next().unwrap_or_default();
    let Some((method, template)) = operations.get(first) else {
        return (first.to_owned(), words.next().expect("a path").to_owned());
    };
    let given: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    let fill = |segment: &str| match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => given.get(name).map_or_else(|| default_of(name), |value| (*value).to_owned()),
        None => segment.to_owned(),
    };
    (method.clone(), template.split('/').map(fill).collect::<Vec<_>>().join("/"))
}

#[test]
fn every_route_is_in_the_table() {
    let rows = table();
    let first_words: BTreeSet<&str> =
        rows.iter().map(|(row, ..)| row.split(' ').next().unwrap_or_default()).collect();
    let operations = operations();
    let is_closed = |path: &str| !ACCESS_BY_PATH[path].is_open();
    let missing: Vec<&String> = operations
        .iter()
        .filter(|(id, (_, path))| is_closed(path) && !first_words.contains(id.as_str()))
        .map(|(id, _)| id)
        .collect();
    assert!(missing.is_empty(), "add rows that say who may call {missing:?}");
    // An undocumented route is a page, which has a row or is listed in `PAGES_WITH_OTHER_TESTS`.
    let documented = operations.values().map(|(_, path)| path.as_str());
    let pages = rows.iter().filter_map(|(row, ..)| row.split_once(' ')).map(|(_, path)| path);
    let known: BTreeSet<&str> =
        documented.chain(pages).chain(PAGES_WITH_OTHER_TESTS.map(|(_, path)| path)).collect();
    let missing: Vec<&String> =
        ACCESS_BY_PATH.keys().filter(|path| is_closed(path) && !known.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "add rows that say who may open {missing:?}");
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
        // The event stream does not end; the response head is sufficient.
        let answer = app.open(request).await;
        let (parts, body) = answer.into_parts();
        let bytes = if parts.status == 200 { Vec::new() } else { read(body).await };
        return Reply { status: parts.status, headers: parts.headers, bytes };
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
    // A token with one scope, which is never the required one.
    let unscoped = [
        ("/api/v1/generate", "read"),
        ("/api/v1/validate", "read"),
        ("/api/v1/repair", "read"),
        ("/api/v1/render", "read"),
        ("/api/v1/compare", "read"),
        ("/api/v1/patch", "read"),
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
    let operations = operations();
    for (row, body, expected) in table() {
        let (method, template) = target(row, &operations);
        let (method, template) = (method.as_str(), template.as_str());
        let fill = |text: &str| {
            text.replace("{project}", &project)
                .replace("{diagram}", &diagram)
                .replace("{viewer}", &viewer_id)
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
                .replace("{file}", "1.mmd")
        };
        let path = fill(template);
        let body: Value = serde_json::from_str(&fill(&body.to_string())).expect("JSON");
        for (who, (caller, expected)) in CALLERS.iter().zip(expected).enumerate() {
            let token = match *caller {
                "unscoped"
                    if unscoped
                        .iter()
                        .any(|(path, scope)| *scope == "read" && template.starts_with(path)) =>
                {
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
                        "{method} {template} exposes {secret} to {caller}"
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
