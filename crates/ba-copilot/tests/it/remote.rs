//! The AI role with a remote checker that is available, stopped, unresponsive, invalid, and available again.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::wait_for;

use crate::process::Server;

const TEXT: &str = "A customer places orders. Each order has a date.";

fn ai(data: &Path, checker: &str, more: &[(&str, &str)]) -> Server {
    let variables: Vec<(&str, &str)> = [("MCP_SERVER_URL", checker)].iter().chain(more).copied().collect();
    Server::start_with(&["--role", "ai", "--listen", "127.0.0.1:0"], data, &variables)
}

fn validator(server: &Server) -> Value {
    let answer = server.generate(TEXT).expect("an answer");
    assert_eq!(answer["response"]["metadata"]["validated"], json!(true), "{answer}");
    answer["response"]["metadata"]["validator"].clone()
}

fn health(server: &Server) -> (u16, Value) {
    let (status, body) = server.request("GET", "/health", "").expect("health");
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn metric(server: &Server, line: &str) -> bool {
    server
        .request("GET", "/metrics", "")
        .is_ok_and(|(_, body)| body.lines().any(|other| other.starts_with(line)))
}

#[test]
fn remote_checker_may_stop_and_return() {
    let folder = TempDir::new().expect("a folder");
    let token = [("MCP_TOKEN", "a-token-for-this-test")];
    let checker = Server::start_with(&["--role", "mcp", "--listen", "127.0.0.1:0"], folder.path(), &token);
    let address = checker.address.clone();
    let ai = ai(folder.path(), &format!("http://{address}"), &token);

    let by = validator(&ai);
    assert_eq!(
        (&by["mode"], &by["engine"], &by["version"]),
        (&json!("remote"), &json!("mermaid"), &json!("12.3.0"))
    );
    let (status, answer) = health(&ai);
    assert_eq!(
        (status, &answer["status"], &answer["checks"]["mcp_server"]["mode"]),
        (200, &json!("healthy"), &json!("remote"))
    );
    assert!(
        answer["checks"]["mcp_server"]["latency_ms"].is_number() && !answer.to_string().contains("a-token"),
        "{answer}"
    );
    let (_, verdict) =
        ai.request("POST", "/api/v1/validate", r#"{"code":"flowchart LR\n a[x()]"}"#).expect("a verdict");
    let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!(
        (&verdict["valid"], &verdict["validator"]["mode"]),
        (&json!(false), &json!("remote")),
        "{verdict}"
    );
    assert_eq!(verdict["findings"][1]["code"], "FLOW003", "{verdict}");

    drop(checker);
    for _ in 0..4 {
        let by = validator(&ai);
        assert_eq!((&by["mode"], &by["engine"]), (&json!("in_process"), &json!("mermaid")));
        assert!(by["note"].as_str().is_some_and(|note| note.contains("cannot be reached")), "{by}");
    }
    wait_for("degraded", || health(&ai).1["status"] == "degraded");
    let (status, answer) = health(&ai);
    assert_eq!(status, 200, "degraded is not a failure");
    assert!(
        answer["checks"]["mcp_server"]["error"]
            .as_str()
            .is_some_and(|text| text.contains("cannot be reached"))
    );
    assert!(metric(&ai, "ba_copilot_mcp_server_up 0"));

    let checker = Server::start_with(&["--role", "mcp", "--listen", &address], folder.path(), &token);
    wait_for("healthy again", || health(&ai).1["status"] == "healthy");
    assert_eq!(validator(&ai)["mode"], "remote");
    assert!(metric(&ai, "ba_copilot_mcp_server_up 1"));
    ai.signal("-TERM");
    let (_, log) = ai.wait();
    assert_eq!(log.matches("Checking in this process").count(), 1, "{log}");
    assert_eq!(log.matches("MCP server is available again").count(), 1, "{log}");
    assert!(!log.contains("a-token") && !log.contains("customer"), "{log}");
    drop(checker);
}

#[test]
fn wrong_checker_token_is_reported_and_nothing_is_returned_unchecked() {
    let folder = TempDir::new().expect("a folder");
    let checker = Server::start_with(
        &["--role", "mcp", "--listen", "127.0.0.1:0"],
        folder.path(),
        &[("MCP_TOKEN", "right")],
    );
    let ai = ai(folder.path(), &format!("http://{}/mcp", checker.address), &[("MCP_TOKEN", "wrong")]);
    let by = validator(&ai);
    assert_eq!(by["mode"], "in_process");
    assert!(by["note"].as_str().is_some_and(|note| note.contains("MCP_TOKEN")), "{by}");
}

/// A server that accepts connections and answers each with `answer`, or never.
fn fake_server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            if let Some(answer) = answer {
                let mut some = [0; 4096];
                let _ = stream.read(&mut some);
                let _ = stream.write_all(answer.as_bytes());
            } else {
                kept.push(stream);
            }
        }
    });
    format!("http://{address}/mcp")
}

#[test]
fn timeouts_and_invalid_answers_are_not_verdicts() {
    let folder = TempDir::new().expect("a folder");
    for answer in [
        None,
        Some("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Some(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        ),
        Some("not HTTP at all"),
    ] {
        let ai = ai(folder.path(), &fake_server(answer), &[("MCP_TIMEOUT", "1")]);
        for _ in 0..3 {
            assert_eq!(validator(&ai)["mode"], "in_process", "{answer:?}");
        }
        // The server is not contacted any more: answers come immediately, with the reason.
        assert_eq!(health(&ai).1["status"], "degraded", "{answer:?}");
        assert_eq!(validator(&ai)["mode"], "in_process");
    }
}

/// A server that reports every diagram as valid, but not by Mermaid's own parser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdict_of_another_parser_is_ignored() {
    use axum::{Json, Router, routing::post};
    let answer = |Json(request): Json<Value>| async move {
        let result = match request["method"].as_str() {
            Some("server/discover") => {
                json!({
                    "resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"
                })
            }
            _ => {
                json!({"resultType": "complete", "content": [], "structuredContent": {
                    "valid": true, "kind": "class", "findings": [],
                    "validator": {"engine": "fast", "version": null}
                }})
            }
        };
        Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/mcp", post(answer))).await });
    let by = tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().expect("a folder");
        validator(&ai(folder.path(), &url, &[]))
    });
    let by = by.await.expect("a verdict");
    assert_eq!(by["mode"], "in_process", "{by}");
    assert!(by["note"].as_str().is_some_and(|note| note.contains("not a verdict")), "{by}");
}

#[test]
fn remote_checker_requires_a_token_beyond_loopback() {
    let folder = TempDir::new().expect("a folder");
    for (role, variables, words) in [
        ("mcp", &[][..], "Set MCP_TOKEN"),
        ("ai", &[("MCP_TOKEN", "x")][..], "the role ai requires a token"),
        ("all", &[("MCP_TOKEN", "x")][..], "no accounts yet"),
    ] {
        let output = std::process::Command::new(crate::process::BINARY)
            .args(["serve", "--role", role, "--listen", "0.0.0.0:0", "--data"])
            .arg(folder.path())
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
