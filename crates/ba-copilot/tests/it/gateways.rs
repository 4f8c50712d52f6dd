//! The real program with a gateway to models that answers as real ones do, behind a forward proxy.
//!
//! Runs on SQLite only: nothing here depends on the database.

use std::sync::mpsc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::Server,
    providers::{read_request, respond, vendor},
    traces::{ask, header},
};

const JSON: &str = "application/json";

/// A gateway that is reached through a proxy only. The name of the model chooses its behavior.
fn gateway() -> (String, mpsc::Receiver<(String, Value)>, mpsc::Sender<()>) {
    let (seen, requests) = mpsc::channel();
    let (url, open) = vendor(move |mut stream, _| {
        let request = read_request(&mut stream);
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        let _ = seen.send((head.lines().next().unwrap_or_default().to_owned(), body.clone()));
        let blueprint =
            json!({"classes": [{"name": "Customer"}, {"name": "Order"}], "relationships": []}).to_string();
        let message = |message: Value| {
            json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
            .to_string()
        };
        let (status, body) = match model.as_str() {
            "refuses-length" if body.get("max_tokens").is_some() => (
                "400 Bad Request",
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}"#
                    .to_owned(),
            ),
            "thinks" => ("200 OK", message(json!({"content": format!("So {{a class}}.\n</think>\n{blueprint}")}))),
            "reasons" => ("200 OK", message(json!({"content": null, "reasoning_content": blueprint}))),
            "fails-in-200" => (
                "200 OK",
                r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"pool is full"}}}"#
                    .to_owned(),
            ),
            "busy-until" => (
                "429 Too Many Requests\r\ndate: Tue, 01 Dec 2026 10:00:00 GMT\r\n\
                 retry-after: Tue, 01 Dec 2026 11:00:00 GMT",
                r#"{"error":{"message":"slow down"}}"#.to_owned(),
            ),
            _ => ("200 OK", message(json!({"content": blueprint}))),
        };
        respond(&mut stream, status, JSON, &body);
    });
    (url, requests, open)
}

#[test]
fn gateways_are_used_as_they_are() {
    let folder = TempDir::new().expect("a folder");
    let (proxy, requests, _open) = gateway();
    let server = Server::start(
        folder.path(),
        &[
            ("OPENAI_BASE_URL", "http://models.example/v1"),
            ("HTTP_PROXY", proxy.trim_end_matches("/v1/")),
            ("OPENAI_API_KEY", "sk-canary-4f1d"),
        ],
    );
    // The model, whether the diagram is its own, and the number of requests.
    for (model, written, asked) in [
        ("refuses-length", "model", 2),
        // What was adapted is remembered.
        ("refuses-length", "model", 1),
        ("thinks", "model", 1),
        ("reasons", "model", 1),
        ("fails-in-200", "fallback", 3),
        ("busy-until", "fallback", 1),
    ] {
        let body = json!({"message": "A customer places orders.", "model": model}).to_string();
        let (head, answer) = ask(&server, "POST /api/v1/generate/class-diagram", "", &body);
        assert!(head.starts_with("HTTP/1.1 200"), "{model}: {head}\n{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let metadata = &answer["response"]["metadata"];
        assert_eq!(
            (metadata["written"].as_str(), &metadata["validated"]),
            (Some(written), &json!(true)),
            "{answer}"
        );
        let sent: Vec<(String, Value)> = requests.try_iter().collect();
        assert_eq!(sent.len(), asked, "{model}: {sent:?}");
        assert!(sent.iter().all(|(line, _)| line.starts_with("POST http://models.example/v1/")), "{sent:?}");
    }
    // Without the draft, the answer says what the vendor said, and when to ask again.
    for (model, words, wait) in
        [("fails-in-200", "pool is full", None), ("busy-until", "ask again in 60 min", Some("3600"))]
    {
        let body =
            json!({"message": "A customer places orders.", "model": model, "fallback": false}).to_string();
        let (head, answer) = ask(&server, "POST /api/v1/generate/class-diagram", "", &body);
        assert!(head.starts_with("HTTP/1.1 502") && answer.contains(words), "{model}: {head}\n{answer}");
        assert_eq!(header(&head, "retry-after"), wait, "{head}");
        let streamed =
            ask(&server, "POST /api/v1/generate/class-diagram", "accept: text/event-stream\r\n", &body);
        let wait =
            wait.map_or("\"retry_after_s\":null".to_owned(), |wait| format!("\"retry_after_s\":{wait}"));
        assert!(streamed.1.contains(words) && streamed.1.contains(&wait), "{streamed:?}");
    }
    let log = server.logged();
    assert!(!log.contains("pool is full") && !log.contains("canary"), "{log}");
}
