//! MCP as clients are: their headers and addresses, arguments as text, browsers, input that is no message, and limits
//! of answers.
//!
//! Runs on SQLite only: MCP keeps nothing of its own.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp},
    process::BINARY,
};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const MAX_ANSWER_BYTES: usize = 1_000_000;

async fn send(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn clients_are_answered_whatever_they_accept() {
    let app = TestApp::builtin().await;
    for accept in [
        None,
        Some("*/*"),
        Some("application/json"),
        Some("application/json, text/event-stream"),
        Some("text/event-stream, */*;q=0.1"),
    ] {
        for path in ["/mcp", "/mcp/", "/mcp?x=1"] {
            let headers: Vec<_> = [JSON].into_iter().chain(accept.map(|accept| ("accept", accept))).collect();
            let reply = send(&app, "POST", path, &headers, PING).await;
            assert_eq!(
                (reply.status.as_u16(), reply.json()["id"].clone()),
                (200, json!(1)),
                "{path} {accept:?}"
            );
        }
    }
    let reply = send(&app, "POST", "/mcp", &[JSON, ("accept", "text/html")], PING).await;
    reply.problem(406, "not_acceptable");
    for method in ["GET", "DELETE", "HEAD"] {
        let reply = send(&app, method, "/mcp/", &[("accept", "text/event-stream")], "").await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["allow"]),
            (405, &"POST".parse().expect("a value"))
        );
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let settings = [("MCP_ALLOWED_ORIGINS", "https://chat.example.com:443"), ("MCP_TOKEN", "a-token")];
    let app = TestApp::start(None, &settings).await;
    let asks = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,mcp-protocol-version"),
    ];
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    for (origin, allowed) in [
        ("https://chat.example.com", true),
        ("http://localhost:6274", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let from = ("origin", origin);
        for path in ["/mcp", "/mcp/", metadata] {
            let reply = send(&app, "OPTIONS", path, &[from, asks[0], asks[1]], "").await;
            let says =
                |name: &str| reply.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
            assert_eq!(reply.status == 204, allowed, "{path} {origin}");
            assert_eq!(
                says("access-control-allow-origin").as_deref(),
                allowed.then_some(origin),
                "{path} {origin}"
            );
            assert_eq!(
                says("access-control-allow-headers").as_deref(),
                allowed.then_some(asks[1].1),
                "{path} {origin}"
            );
            let methods = says("access-control-allow-methods").unwrap_or_default();
            assert_eq!(methods.contains("POST"), allowed, "{path} {origin}");
            assert_eq!(says("access-control-allow-credentials"), None);
        }
        // The page also reads refusals, which say where tokens are issued.
        for (token, status) in [("Bearer a-token", 200), ("Bearer wrong", 401)] {
            let reply = send(&app, "POST", "/mcp", &[JSON, from, ("authorization", token)], PING).await;
            assert_eq!(reply.status, if allowed { status } else { 403 }, "{origin} {token}");
            let readable = reply.headers.get("access-control-allow-origin").is_some();
            assert_eq!(readable, allowed, "{origin} {token}");
            if allowed {
                let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
                assert!(vary.iter().any(|name| *name == "origin"), "{vary:?}");
                let exposed = reply.headers["access-control-expose-headers"].to_str().expect("text");
                assert!(exposed.contains("www-authenticate"), "{exposed}");
            }
        }
        let reply = send(&app, "GET", metadata, &[from], "").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers.get("access-control-allow-origin").is_some(), allowed, "{origin}");
    }
    // Without an origin nothing is added, and other routes are closed to pages of other origins.
    let reply = send(&app, "OPTIONS", "/mcp", &[], "").await;
    assert!(reply.headers.get("access-control-allow-origin").is_none());
    let reply =
        send(&app, "OPTIONS", "/api/v1/projects", &[("origin", "https://chat.example.com"), asks[0]], "")
            .await;
    assert!(reply.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn public_url_is_the_address_of_the_resource() {
    let own = ("BA_COPILOT__MCP__PUBLIC_URL", "https://mcp.example.com/mcp");
    for (settings, resource, metadata) in [
        (vec![], "http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/.well-known"),
        (
            vec![("PUBLIC_URL", "https://a.example/")],
            "https://a.example/mcp",
            "https://a.example/.well-known",
        ),
        (
            vec![("PUBLIC_URL", "https://a.example/ba")],
            "https://a.example/ba/mcp",
            "https://a.example/ba/.well-known",
        ),
        (vec![("PUBLIC_URL", "https://a.example/ba"), own], own.1, "https://mcp.example.com/.well-known"),
    ] {
        let settings: Vec<_> = settings.into_iter().chain([("MCP_TOKEN", "a-token")]).collect();
        let app = TestApp::start(None, &settings).await;
        let refused = send(&app, "POST", "/mcp", &[JSON], PING).await;
        let challenge = refused.headers["www-authenticate"].to_str().expect("text").to_owned();
        let address = format!("resource_metadata=\"{metadata}/oauth-protected-resource/mcp\"");
        assert!(challenge.contains(&address), "{challenge}");
        for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
            assert_eq!(send(&app, "GET", path, &[], "").await.json()["resource"], resource, "{settings:?}");
        }
    }
}

/// Input that is no message, and the code and the id of the answer.
fn unreadable() -> Vec<(&'static str, i64, Value)> {
    vec![
        ("nope", -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping""#, -32700, Value::Null),
        // A lone surrogate is no text. The id can be read, so that the client finds its call.
        (
            concat!(
                r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","#,
                r#""params":{"name":"validate_mermaid","arguments":{"code":"pie \ud83d"}}}"#
            ),
            -32700,
            json!(5),
        ),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
    ]
}

fn check_error(answer: &Value, input: &str, code: i64, id: &Value) {
    assert_eq!((&answer["error"]["code"], answer.get("id")), (&json!(code), Some(id)), "{input}: {answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("Send")), "{answer}");
}

#[tokio::test]
async fn input_that_is_no_message_is_answered_over_http() {
    let app = TestApp::builtin().await;
    for (input, code, id) in unreadable() {
        let reply = send(&app, "POST", "/mcp", &[JSON], input).await;
        assert_eq!(reply.status, 400, "{input}");
        check_error(&reply.json(), input, code, &id);
    }
    // Another type is refused as before: a page of another site can send it without asking first.
    assert_eq!(send(&app, "POST", "/mcp", &[("content-type", "text/plain")], PING).await.status, 415);
}

#[test]
fn input_that_is_no_message_is_answered_over_stdio() {
    let mut server = Command::new(BINARY)
        .arg("mcp")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut input = server.stdin.take().expect("an input");
    let mut lines = BufReader::new(server.stdout.take().expect("an output")).lines();
    let mut answer = |line: &str| -> Value {
        writeln!(input, "{line}").expect("sent");
        serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON")
    };
    let begin = |id: u32| {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client});
        json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).to_string()
    };
    // Also before the handshake.
    check_error(&answer("canary garbage"), "garbage", -32700, &Value::Null);
    assert_eq!(answer(&begin(1))["result"]["protocolVersion"], "2024-11-05");
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(answer(&format!("{initialized}\n{PING}"))["id"], 1);
    for (input, code, id) in unreadable() {
        check_error(&answer(input), input, code, &id);
        assert_eq!(answer(&format!("\u{feff} {PING}\r"))["id"], 1, "the session goes on after {input}");
    }
    // A notification has no answer, whatever is wrong with it; nor has an empty line.
    let silent = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"\ud800"}}"#;
    assert_eq!(answer(&format!("{silent}\n\n{PING}"))["id"], 1);
    let long = format!(r#"{{"jsonrpc":"2.0","id":9,"method":"{}"}}"#, "x".repeat(17 << 20));
    assert_eq!(answer(&format!("{long}\n{PING}"))["id"], 1);
    // The last line needs no line end.
    input.write_all(b"canary garbage").expect("sent");
    drop(input);
    let last: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    check_error(&last, "the last line", -32700, &Value::Null);
    let output = server.wait_with_output().expect("an end");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("could not be read") && log.contains("longer than"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn arguments_may_be_json_in_a_string() {
    let app = TestApp::builtin().await;
    let code = "flowchart LR\n  a --> b\n";
    let add = json!({"op": "add_node", "id": "c", "label": "Box"});
    for operations in [json!([add]), json!(json!([add]).to_string()), json!([add.to_string()])] {
        let answer = app.tool("patch_diagram", json!({"code": code, "operations": operations})).await;
        assert_eq!(answer["structuredContent"]["valid"], true, "{operations}: {answer}");
    }
    for scale in [json!(3), json!("3"), json!("3.0")] {
        let answer = app.tool("render_mermaid", json!({"code": code, "format": "png", "scale": scale})).await;
        assert_eq!(answer["structuredContent"]["scale"], 3.0, "{scale}: {answer}");
    }
    // Text that looks like JSON stays text.
    let label = "[1] %USERPROFILE% true";
    let set = json!([{"op": "set_label", "id": "a", "label": label}]).to_string();
    let answer = app.tool("patch_diagram", json!({"code": code, "operations": set})).await;
    let changed = answer["structuredContent"]["code"].as_str().expect("text");
    assert!(changed.contains(label), "{changed}");
}

/// Time limits that a loaded machine does not reach.
const PATIENT: [(&str, &str); 2] =
    [("BA_COPILOT__CHECK__TIME_S", "60"), ("BA_COPILOT__PICTURE__TIME_S", "60")];

/// A flowchart of so many boxes, in chains of ten.
fn boxes(number: usize) -> String {
    let mut code = "flowchart TD\n".to_owned();
    for at in 0..number {
        let (order, customer) = (at * 37, at * 91);
        code.push_str(&format!(
            "  n{at}[\"Step {at}: check the order {order} of customer {customer}, the address of its delivery and the \
             payment; then confirm all of it\"]\n"
        ));
        if at % 10 > 0 {
            code.push_str(&format!("  n{} --> n{at}\n", at - 1));
        }
    }
    code
}

/// Width and height of a PNG.
fn size_of(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

#[tokio::test]
async fn pictures_fit_into_an_answer() {
    let app = TestApp::start(None, &PATIENT).await;
    for (number, format, scale) in [
        (2, "png", Some(1)),
        (2, "png", Some(2)),
        (2, "png", Some(4)),
        (70, "png", None),
        (70, "png", Some(4)),
        (20, "svg", None),
        (100, "svg", None),
    ] {
        let case = format!("{number} boxes as {format}, scale {scale:?}");
        let arguments = json!({"code": boxes(number), "format": format, "scale": scale});
        let reply =
            app.rpc_reply("tools/call", json!({"name": "render_mermaid", "arguments": arguments}), &[]).await;
        assert!(reply.bytes.len() <= MAX_ANSWER_BYTES, "{case}: {} bytes", reply.bytes.len());
        let answer = reply.json()["result"].clone();
        let found = &answer["structuredContent"];
        assert_eq!(found["valid"], true, "{case}: {answer}");
        let content = answer["content"].as_array().expect("contents");
        let note = found["note"].as_str();
        assert_eq!(
            note.is_some(),
            content.iter().any(|block| block["text"].as_str() == note && note.is_some())
        );
        match format {
            "png" => {
                let data = content.iter().find_map(|block| block["data"].as_str()).expect("an image");
                assert_eq!(reply.text().matches(&data[..400]).count(), 1, "{case}: the image is there once");
                let drawn = found["scale"].as_f64().expect("a scale");
                let asked = f64::from(scale.unwrap_or(2));
                assert_eq!(note.is_some(), drawn < asked, "{case}: {note:?}");
                assert_eq!(number > 2, drawn < asked, "{case}: drawn at {drawn}");
                if number > 2 {
                    assert!(data.len() > MAX_ANSWER_BYTES / 2, "{case}: the room is used: {}", data.len());
                }
                let (width, _) = size_of(&STANDARD.decode(data).expect("base64"));
                eprintln!("{case}: scale {drawn}, {width} px wide, {} bytes", reply.bytes.len());
            }
            _ => {
                let resource =
                    &content.iter().find(|block| block["type"] == "resource").expect("a block")["resource"];
                assert_eq!(resource["mimeType"], "image/svg+xml", "{case}");
                assert!(resource["text"].as_str().is_some_and(|svg| svg.starts_with("<svg")), "{case}");
                // For programs it is also in the structured form, if both fit.
                assert_eq!(found.get("svg").is_none(), note.is_some(), "{case}: {note:?}");
                eprintln!("{case}: {} bytes", reply.bytes.len());
            }
        }
    }
    // Scales are told apart.
    let mut widths = Vec::new();
    for scale in [1, 2, 4] {
        let arguments = json!({"code": boxes(2), "format": "png", "scale": scale});
        let answer = app.tool("render_mermaid", arguments).await;
        let data =
            answer["content"].as_array().and_then(|all| all.iter().find_map(|block| block["data"].as_str()));
        widths.push(size_of(&STANDARD.decode(data.expect("an image")).expect("base64")).0);
    }
    assert!(widths[1] > widths[0] * 19 / 10 && widths[2] > widths[1] * 19 / 10, "{widths:?}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_says_so() {
    let app = TestApp::start(None, &PATIENT).await;
    let pie = |bytes: usize| format!("pie\n  %% {}\n  \"a\": 1\n", "x".repeat(bytes));
    for (code, is_error, words) in [
        // The structured form fits, the text beside it does not.
        (format!("```mermaid\n{}```\n", pie(600_000)), false, "left out"),
        (pie(999_700), true, "Send a smaller diagram"),
    ] {
        let call = json!({"name": "repair_mermaid", "arguments": {"code": code}});
        let reply = app.rpc_reply("tools/call", call, &[]).await;
        assert!(reply.bytes.len() <= MAX_ANSWER_BYTES, "{words}: {} bytes", reply.bytes.len());
        let answer = reply.json()["result"].clone();
        let said = answer["content"].to_string();
        assert!(answer["isError"] == is_error && said.contains(words), "{words}: {said:.2000}");
    }
}
