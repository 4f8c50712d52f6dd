//! Bad input gets a clear answer and changes nothing.
//!
//! Runs on both databases.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn invalid_requests_get_a_problem_and_change_nothing() {
    let app = TestApp::builtin().await;
    let generate = "/api/v1/generate/class-diagram";
    let long = "word ".repeat(10_001);
    let huge = format!("{{\"message\":\"{}\"}}", "a".repeat(10 << 20));
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (generate, br#"{"message":""}"#.to_vec(), 422, "invalid_input"),
        (generate, br#"{"message":" \n\t "}"#.to_vec(), 422, "invalid_input"),
        (generate, json!({"message": long}).to_string().into_bytes(), 422, "invalid_input"),
        (generate, huge.into_bytes(), 413, "too_large"),
        (generate, b"{\"message\":\"\xff\xfe\"}".to_vec(), 422, "invalid_input"),
        (generate, vec![0, 159, 146, 150, 255], 422, "invalid_input"),
        (generate, br#"{"message":"#.to_vec(), 422, "invalid_input"),
        (generate, br#"{"message":7}"#.to_vec(), 422, "invalid_input"),
        (generate, br#"[]"#.to_vec(), 422, "invalid_input"),
        (generate, br#"{"massage":"a customer"}"#.to_vec(), 422, "invalid_input"),
        (generate, br#"{"message":"a customer","provider":"oracle"}"#.to_vec(), 422, "invalid_input"),
        (generate, br#"{"message":"a customer","provider":"scripted"}"#.to_vec(), 422, "invalid_input"),
        (
            generate,
            br#"{"message":"a customer","project_id":"no such project"}"#.to_vec(),
            422,
            "invalid_input",
        ),
        (generate, br#"{"message":"a customer","project_id":"nosuchproject"}"#.to_vec(), 404, "not_found"),
        ("/api/v1/generate/poem-diagram", br#"{"message":"a customer"}"#.to_vec(), 404, "no_such_kind"),
        ("/api/v1/validate", br#"{"code":""}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/validate", br#"{"code":"pie","engine":"steam"}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/repair", br#"{"code":" "}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/render", br#"{"code":"flowchart LR\n a[[["}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/render", br#"{"code":"flowchart LR\n a","format":"gif"}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/render", br#"{"code":"flowchart LR\n a","theme":"pink"}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/render", br#"{"code":"flowchart LR\n a","scale":1000}"#.to_vec(), 422, "invalid_input"),
        ("/api/v1/nothing", br#"{}"#.to_vec(), 404, "no_such_route"),
        ("/health", br#"{}"#.to_vec(), 405, "no_such_method"),
    ];
    for (path, body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let reply = app.post_bytes(path, body).await;
        println!("{path} {shown}");
        let problem = reply.problem(status, code);
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.len() > 20 && detail.len() < 600),
            "{problem}"
        );
    }
    assert_eq!(app.generations().await, []);
}

#[tokio::test]
async fn target_is_rejected() {
    let app = TestApp::builtin().await;
    for (path, body) in [
        ("/api/v1/validate", json!({"code": "pie", "target": "github"})),
        ("/api/v1/validate", json!({"code": "pie", "target": ""})),
        ("/api/v1/generate/class-diagram", json!({"message": "A customer.", "target": "github"})),
    ] {
        let problem = app.post(path, body).await.problem(422, "invalid_input");
        assert_eq!(problem["errors"][0]["path"], "target", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Leave `target` out")));
    }
    assert_eq!(app.generations().await, []);
}

#[tokio::test]
async fn body_without_json_content_type_is_rejected() {
    let app = TestApp::builtin().await;
    let request =
        axum::http::Request::post("/api/v1/validate").body(r#"{"code":"pie"}"#.into()).expect("a request");
    app.send(request).await.problem(415, "not_json");
}

#[tokio::test]
async fn unknown_host_name_is_rejected() {
    let app = TestApp::builtin().await;
    let request = axum::http::Request::get("/health")
        .header("host", "elsewhere.invalid:8000")
        .body("".into())
        .expect("a request");
    app.send(request).await.problem(421, "wrong_host");
}

#[tokio::test]
async fn large_and_deep_diagrams_get_an_answer() {
    let app = TestApp::builtin().await;
    let nodes: String = (0..10_000).map(|n| format!("  n{n} --> n{}\n", n + 1)).collect();
    let deep: String =
        (0..400).map(|n| format!("subgraph s{n}\n")).chain((0..400).map(|_| "end\n".to_owned())).collect();
    for code in [
        format!("flowchart LR\n{nodes}"),
        format!("flowchart LR\n{deep}"),
        format!("flowchart LR\n  a{}", "[".repeat(20_000)),
        "(".repeat(50_000),
    ] {
        let reply = app.post("/api/v1/validate", json!({"code": code})).await;
        assert_eq!(reply.status, 200);
        let reply = reply.json();
        assert!(reply["valid"] == true || !reply["findings"].as_array().expect("findings").is_empty());
        let drawn = app.post("/api/v1/render", json!({"code": code})).await;
        if drawn.status != 200 {
            drawn.problem(422, "invalid_input");
        }
    }
}

#[tokio::test]
async fn unusual_requirements_are_drafted() {
    let app = TestApp::builtin().await;
    for message in [
        "\u{0}\u{0}",
        "👤👤👤",
        "))((][{}<>|;:#%\"'`",
        "%%{init: {}}%%\n---\nclassDiagram",
        "日本語の要件。",
        "a\u{202e}b\u{200b}c",
        "end graph subgraph style class default",
        &"customer ".repeat(5_000),
    ] {
        for row in blueprint::KINDS {
            let reply =
                app.post(&format!("/api/v1/generate/{}", row.slug), json!({"message": message})).await;
            assert_eq!(reply.status, 200, "{message:?} {}", reply.text());
            assert_eq!(
                reply.json()["response"]["metadata"]["validated"],
                true,
                "{message:?}: {}",
                reply.text()
            );
        }
    }
}
