//! The API, one use case per test.
//!
//! Runs on both databases.

use llm::{BadReply, LlmError, Reason, Scripted, Usage};
use serde_json::{Value, json};

use application::picture;

use crate::app::TestApp;

const TEXT: &str = "A customer places orders. Each order has a number and a date.";

fn model_json() -> String {
    json!({
        "classes": [
            {
                "name": "Customer", "kind": "class", "attributes": [], "methods": [], "literals": [],
                "evidence": "A customer"
            },
            {
                "name": "Order", "kind": "class",
                "attributes": [
                    {"name": "number", "type": "Integer", "visibility": "public", "evidence": "number"}
                ],
                "methods": [], "literals": []
            }
        ],
        "relationships": [{
            "from": "Customer", "to": "Order", "kind": "association", "label": "places",
            "multiplicity_from": "1", "multiplicity_to": "*"
        }]
    })
    .to_string()
}

/// The Mermaid text in `detail`, which must be the validated text.
fn mermaid_of(reply: &Value) -> String {
    let detail = reply["response"]["detail"].as_str().expect("detail");
    let text = detail.strip_prefix("```mermaid\n").and_then(|rest| rest.strip_suffix("\n```"));
    text.unwrap_or_else(|| panic!("not a code block: {detail}")).to_owned()
}

#[tokio::test]
async fn every_kind_is_drafted_without_a_model() {
    let app = TestApp::builtin().await;
    for row in blueprint::KINDS {
        let reply =
            app.post(&format!("/api/v1/generate/{}", row.slug), json!({"message": row.sample_text})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = reply.json();
        assert_eq!(reply["type"], "diagram");
        assert_eq!(reply["response"]["type"], row.contract_type);
        let metadata = &reply["response"]["metadata"];
        assert_eq!(metadata["validated"], true, "{reply}");
        assert_eq!(metadata["retry_count"], 0);
        assert_eq!(metadata["provider"], "builtin");
        assert_eq!(metadata["validator"]["version"], mermend::MERMAID_VERSION.expect("a version"));
        assert!(metadata["note"].as_str().is_some_and(|note| note.contains("built-in drafter")));
        assert!(app.app.checker.check(&mermaid_of(&reply)).validated());
        let trace = reply["response"]["trace"].as_array().expect("a trace");
        assert!(!trace.is_empty());
        for entry in trace {
            let at = |field: &str| usize::try_from(entry[field].as_u64().expect("an offset")).expect("fits");
            assert_eq!(&row.sample_text[at("start")..at("end")], entry["text"], "{entry}");
        }
    }
}

#[tokio::test]
async fn model_blueprint_is_traced_to_its_source_words() {
    let app = TestApp::scripted([Scripted::Text(
        model_json(),
        Usage { input_tokens: 100, output_tokens: 50, cost_micro_usd: Some(1200) },
    )])
    .await;
    let reply = app
        .post("/api/v1/generate/class-diagram", json!({"message": TEXT, "content_id": "doc-7"}))
        .await
        .json();
    let response = &reply["response"];
    assert_eq!(response["metadata"]["validated"], true);
    assert_eq!(response["metadata"]["provider"], "scripted");
    assert_eq!(
        response["metadata"]["usage"],
        json!({"input_tokens": 100, "output_tokens": 50, "cost_usd": 0.0012})
    );
    assert!(mermaid_of(&reply).contains("Customer \"1\" --> \"*\" Order : places"), "{}", mermaid_of(&reply));
    let of = |element: &str| {
        response["trace"]
            .as_array()
            .and_then(|trace| trace.iter().find(|entry| entry["element"] == element))
            .cloned()
    };
    assert_eq!(of("Customer").expect("Customer")["text"], "A customer");
    // The acknowledged generation is stored: the request, the version, the tokens and the cost.
    let stored = &app.generations().await[0];
    assert_eq!((stored.request.as_str(), stored.content_id.as_deref()), (TEXT, Some("doc-7")));
    assert_eq!((stored.input_tokens, stored.output_tokens, stored.cost_micro_usd), (100, 50, Some(1200)));
    let store = app.app.store.as_ref().expect("a store");
    let diagram = stored.diagram_id.clone().expect("a diagram");
    let version = store.find_version_number(&diagram, 1).await.expect("a version");
    assert_eq!(version.mermaid.trim_end(), mermaid_of(&reply));
    assert!(version.validated && version.blueprint.is_some());
    assert_eq!(Some(diagram.as_str()), response["metadata"]["diagram_id"].as_str());
}

#[tokio::test]
async fn model_is_asked_again_with_the_findings() {
    let dangling = json!({
        "classes": [{"name": "Order"}],
        "relationships": [{"from": "Order", "to": "Ghost", "kind": "association"}]
    })
    .to_string();
    let app = TestApp::scripted([Scripted::text(dangling), Scripted::text(model_json())]).await;
    let reply = app.post("/api/v1/generate/class-diagram", json!({"message": TEXT})).await.json();
    assert_eq!(reply["response"]["metadata"]["retry_count"], 1);
    assert_eq!(reply["response"]["metadata"]["validated"], true);
    let questions = app.script.questions();
    assert_eq!(questions.len(), 2);
    let last = questions[1].turns.last().expect("a turn");
    assert!(last.text.contains("relationships[0].to") && last.text.contains("Ghost"), "{}", last.text);
}

#[tokio::test]
async fn model_answer_in_mermaid_is_repaired() {
    let mermaid =
        "Here you are:\n```mermaid\nclassdiagram\n    Customer \"1\" --> \"*\" Order : places\n```\nEnjoy!";
    let not_json =
        LlmError::BadReply { what: BadReply::NotJson, usage: Usage::default(), reason: Reason::default() };
    let app = TestApp::scripted([Scripted::Fail(not_json), Scripted::text(mermaid)]).await;
    let reply = app.post("/api/v1/generate/class-diagram", json!({"message": TEXT})).await.json();
    assert_eq!(reply["response"]["metadata"]["validated"], true, "{reply}");
    assert_eq!(reply["response"]["metadata"]["provider"], "scripted");
    assert!(!reply["response"]["metadata"]["repairs"].as_array().expect("repairs").is_empty());
    assert_eq!(reply["response"]["blueprint"]["classes"][0]["name"], "Customer");
}

#[tokio::test]
async fn stream_reports_progress_and_ends_with_the_result() {
    let app = TestApp::scripted([Scripted::text(model_json())]).await;
    let request = axum::http::Request::post("/api/v1/generate/class-diagram")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(json!({"message": TEXT}).to_string().into())
        .expect("a request");
    let reply = app.send(request).await;
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let text = reply.text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names.first(), Some(&"status"));
    assert!(names.contains(&"delta"), "{names:?}");
    assert_eq!(names.last(), Some(&"result"));
    let result: Value =
        serde_json::from_str(text.rsplit("data: ").next().expect("data").trim()).expect("JSON");
    assert_eq!(result["response"]["metadata"]["validated"], true);
}

#[tokio::test]
async fn validate_reports_place_and_reason() {
    let app = TestApp::builtin().await;
    let good = app.post("/api/v1/validate", json!({"code": "flowchart LR\n  a --> b"})).await.json();
    assert_eq!(
        (&good["valid"], &good["kind"], &good["findings"]),
        (&json!(true), &json!("flowchart"), &json!([]))
    );
    assert_eq!(good["engines"]["mermaid"]["valid"], true);
    assert_eq!(good["engines"]["fast"]["valid"], true);
    let again = app.post("/api/v1/validate", json!({"code": "flowchart LR\n  a --> b"})).await.json();
    assert_eq!((&good["cached"], &again["cached"]), (&json!(false), &json!(true)));
    let bad = app.post("/api/v1/validate", json!({"code": "flowchart LR\n  a[run()] --> b"})).await.json();
    assert_eq!(bad["valid"], false);
    let finding = &bad["findings"][0];
    assert_eq!(finding["span"]["line"], 2, "{finding}");
    assert!(finding["message"].as_str().is_some_and(|message| !message.is_empty()));
    let fast =
        app.post("/api/v1/validate", json!({"code": "pie\n  \"a\" : 1", "engine": "fast"})).await.json();
    assert_eq!((fast["valid"].clone(), fast["engines"].get("mermaid")), (json!(true), None));
}

#[tokio::test]
async fn repair_changes_only_invalid_diagrams() {
    let app = TestApp::builtin().await;
    let mended = app
        .post("/api/v1/repair", json!({"code": "```mermaid\nflowchart LR\n  a[run()] --> b\n```"}))
        .await
        .json();
    assert_eq!(
        (&mended["valid"], &mended["changed"], &mended["class"]),
        (&json!(true), &json!(true), &json!("safe")),
        "{mended}"
    );
    assert!(mended["diff"].as_str().is_some_and(|diff| diff.contains("+  a[\"run()\"] --> b")), "{mended}");
    let valid = "flowchart LR\n  a --> b\n";
    let same = app.post("/api/v1/repair", json!({"code": valid})).await.json();
    assert_eq!(
        (&same["code"], &same["changed"], &same["class"]),
        (&json!(valid), &json!(false), &json!("none"))
    );
}

#[tokio::test]
async fn pictures_have_no_script_and_no_external_reference() {
    let app = TestApp::builtin().await;
    let code = concat!(
        "flowchart LR\n  a[\"<script>alert(1)</script><b>bold</b>\"] --> b\n",
        "  click a href \"https://elsewhere.invalid\" \"tip\"",
    );
    let svg = app.post("/api/v1/render", json!({"code": code})).await;
    assert_eq!(
        (svg.status.as_u16(), &svg.headers["content-type"]),
        (200, &"image/svg+xml".parse().expect("a value"))
    );
    let text = svg.text();
    assert!(text.starts_with("<svg"), "{}", &text[..60]);
    for banned in ["<script", "onerror", "onclick", "elsewhere", "foreignObject", "javascript:", "@import"] {
        assert!(!text.contains(banned), "{banned}");
    }
    let png = app.post("/api/v1/render", json!({"code": code, "format": "png", "theme": "dark"})).await;
    assert_eq!((png.status.as_u16(), &png.bytes[..4]), (200, &b"\x89PNG"[..]));
}

#[tokio::test]
async fn every_element_is_marked_in_the_picture() {
    let app = TestApp::builtin().await;
    for row in blueprint::KINDS {
        let compiled = blueprint::compile(&(row.sample)(), blueprint::Target::Portable);
        let request = picture::Request {
            code: compiled.text.clone(),
            theme: "light".to_owned(),
            elements: compiled.elements.clone(),
        };
        let drawn =
            picture::draw(&app.app, request, vec![picture::Form::SvgForPage]).await.expect("a picture");
        let svg = std::str::from_utf8(&drawn[0].bytes).expect("text");
        for element in &compiled.elements {
            let id = element
                .id
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            let marked = format!("data-element=\"{id}\"");
            assert!(svg.contains(&marked), "{}: {element:?} in\n{}", row.id, compiled.text);
        }
    }
}

#[tokio::test]
async fn health_and_metrics_report_the_state() {
    let app = TestApp::builtin().await;
    let health = app.get("/health").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["checks"]["database"]["status"], "healthy");
    assert_eq!(health["checks"]["mcp_server"]["mode"], "in_process");
    assert_eq!(health["checks"]["llm"]["providers"], json!([]));
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    app.post("/api/v1/generate/class-diagram", json!({"message": TEXT})).await;
    let metrics = app.get("/metrics").await;
    for name in [
        "ba_copilot_http_requests_total",
        "ba_copilot_generations_total",
        "ba_copilot_checks_total",
        "ba_copilot_generation_seconds_bucket",
    ] {
        assert!(metrics.text().contains(name), "{name} in\n{}", metrics.text());
    }
}

#[tokio::test]
async fn lost_database_is_reported_as_unhealthy() {
    let app = TestApp::builtin().await;
    std::fs::remove_dir_all(&app.app.config.data.dir).expect("the folder");
    let store = app.app.store.as_ref().expect("a store");
    if store.backend() == store::Backend::Postgres {
        store.close().await;
    }
    let health = app.get("/health").await;
    assert_eq!((health.status.as_u16(), health.json()["status"].clone()), (503, json!("unhealthy")));
    app.get("/readyz").await.problem(503, "unhealthy");
    assert_eq!(app.get("/livez").await.status, 200);
    // Writes that cannot be stored are not acknowledged.
    let reply = app.post("/api/v1/generate/class-diagram", json!({"message": TEXT})).await;
    reply.problem(503, "unavailable");
}

#[tokio::test]
async fn root_answers_json_or_html_and_links_the_documentation() {
    let app = TestApp::builtin().await;
    let program = app.get("/").await.json();
    assert_eq!(
        (&program["service"], &program["status"]),
        (&json!("BA Copilot AI Service"), &json!("running"))
    );
    let docs = app.get("/docs/").await;
    assert!(docs.text().contains("swagger"), "{}", docs.status);
    let openapi = app.get("/openapi.json").await.json();
    assert_eq!(openapi["openapi"].as_str().map(|version| version.starts_with("3.1")), Some(true));
    // Each request example in the document works unchanged, where no account is required.
    let new = json!({"title": "Orders", "code": "classDiagram\n  class Order"});
    let made = app.post("/api/v1/projects/default/diagrams", new).await.json();
    let diagram = format!("/diagrams/{}/", made["id"].as_str().expect("an id"));
    let needs_accounts = ["accounts", "administration", "members"];
    let mut tried = 0;
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        let Some(post) = item.get("post").filter(|post| post.get("requestBody").is_some()) else { continue };
        // Operations that refer to other resources have no example that could exist.
        if needs_accounts.iter().any(|tag| post["tags"][0] == *tag)
            || path.ends_with("/trace-links")
            || path.ends_with("/versions")
        {
            continue;
        }
        let schema =
            post["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().expect("a schema");
        let properties =
            &openapi["components"]["schemas"][schema.rsplit('/').next().expect("a name")]["properties"];
        let body: serde_json::Map<String, Value> = properties
            .as_object()
            .expect("properties")
            .iter()
            .filter_map(|(name, property)| {
                Some((name.clone(), property.get("example").or_else(|| property["examples"].get(0))?.clone()))
            })
            .collect();
        let path = path
            .replace("generate/{diagram}", "generate/class-diagram")
            .replace("/diagrams/{diagram}/", &diagram)
            .replace("{project}", "default")
            .replace("{number}", "1");
        let reply = app.post(&path, Value::Object(body.clone())).await;
        let text = String::from_utf8_lossy(&reply.bytes);
        assert!(reply.status.is_success(), "{path} with {body:?}: {} {text:?}", reply.status);
        tried += 1;
    }
    assert!(tried >= 10, "{tried}");
}

/// A long text has a large diagram. The error is not an internal error, and it names a remedy.
#[tokio::test]
async fn requirement_with_too_large_a_diagram_gets_an_error() {
    let app = TestApp::builtin().await;
    let another = app.another(|config| config.check.max_text_bytes = 2_000).await;
    let message: String = (0..200)
        .map(|number| {
            format!("The clerk checks form {number}. If it is late, the clerk rejects form {number}. ")
        })
        .collect();
    let reply = another.post("/api/v1/generate/activity-diagram", json!({"message": message})).await;
    let problem = reply.problem(422, "invalid_input");
    assert_eq!(problem["errors"][0]["path"], "message");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("one chapter at a time")),
        "{problem}"
    );
}
