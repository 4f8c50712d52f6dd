//! Faulty model providers over real connections: each request ends within its limit, with the built-in draft and a
//! warning or with a problem response, and is recorded.
//!
//! Runs on both databases.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use application::encryption;
use serde_json::json;
use store::GenerationStatus;

use crate::{
    app::TestApp,
    users::{Browser, set_up},
};

/// A fake provider on a separate port: one closure answers every connection. It stops when the test ends.
pub(crate) fn vendor(
    answer: impl Fn(TcpStream, &mpsc::Receiver<()>) + Send + 'static,
) -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (open, closed) = mpsc::channel::<()>();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &closed);
            // The test has ended; there are no more requests.
            if matches!(closed.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                return;
            }
        }
    });
    (format!("http://{address}/v1/"), open)
}

/// Reads one request, head and body.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text.into_owned();
            }
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse::<usize>().ok())
        });
        if count == 0 || body.len() >= length.unwrap_or(0) {
            return text.into_owned();
        }
    }
}

pub(crate) fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &str) {
    let message = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(message.as_bytes());
}

/// Checks a request with and without fallback: `answer` is the behavior of the provider, `code` the code of the
/// problem.
async fn check(name: &str, code: &str, answer: impl Fn(TcpStream, &mpsc::Receiver<()>) + Send + 'static) {
    let (url, _open) = vendor(answer);
    let app = TestApp::start(
        None,
        &[
            ("OPENAI_BASE_URL", &url),
            ("OPENAI_API_KEY", "sk-canary-4f1d"),
            ("BA_COPILOT__MODEL__TOTAL_S", "4"),
            ("BA_COPILOT__MODEL__FIRST_BYTE_S", "1"),
            ("BA_COPILOT__MODEL__BETWEEN_BYTES_S", "1"),
        ],
    )
    .await;
    let message = "A customer places orders.";
    let fell_back =
        app.post("/api/v1/generate/class-diagram", json!({"message": message, "model": "m"})).await;
    assert_eq!(fell_back.status, 200, "{name}: {}", fell_back.text());
    let reply = fell_back.json();
    let metadata = &reply["response"]["metadata"];
    assert_eq!(metadata["validated"], true, "{name}: {reply}");
    assert!(
        metadata["warning"].as_str().is_some_and(|warning| warning.contains("built-in drafter")),
        "{name}: {reply}"
    );
    let failed = app
        .post("/api/v1/generate/class-diagram", json!({"message": message, "model": "m", "fallback": false}))
        .await;
    let status = failed.status.as_u16();
    let problem = failed.problem(status, code);
    assert!([422, 502, 504].contains(&status), "{problem}");
    assert!(!failed.text().contains("canary") && !fell_back.text().contains("canary"), "a key was shown");
    let kept: Vec<_> =
        app.generations().await.into_iter().map(|kept| (kept.status, kept.error_code)).collect();
    assert!(kept.contains(&(GenerationStatus::FellBack, None)), "{name}: {kept:?}");
    assert!(kept.contains(&(GenerationStatus::Failed, Some(code.to_owned()))), "{name}: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hangs() {
    check("hangs", "llm_timed_out", |stream, over| {
        // Held open until the test ends.
        let _ = over.recv_timeout(std::time::Duration::from_secs(10));
        drop(stream);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_refuses_the_key() {
    check("401", "llm_refused", |mut stream, _| {
        read_request(&mut stream);
        respond(
            &mut stream,
            "401 Unauthorized",
            "application/json",
            r#"{"error":{"message":"bad key sk-canary-4f1d"}}"#,
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_busy() {
    check("429", "llm_busy", |mut stream, _| {
        read_request(&mut stream);
        respond(
            &mut stream,
            "429 Too Many Requests\r\nretry-after: 3600",
            "application/json",
            r#"{"error":{"message":"slow down"}}"#,
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_fails() {
    check("500", "llm_unavailable", |mut stream, _| {
        read_request(&mut stream);
        respond(&mut stream, "500 Internal Server Error", "text/plain", "oops");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_answers_html() {
    check("HTML", "llm_bad_reply", |mut stream, _| {
        read_request(&mut stream);
        respond(&mut stream, "200 OK", "text/html", "<!doctype html><title>Sign in</title>");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_answers_half_a_json() {
    check("half a JSON", "llm_bad_reply", |mut stream, _| {
        read_request(&mut stream);
        respond(
            &mut stream,
            "200 OK",
            "application/json",
            r#"{"id":"1","choices":[{"message":{"role":"assistant","content":"{\"cla"#,
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_hangs_up_in_the_middle() {
    check("hangs up", "llm_unavailable", |mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{\"id\":",
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_cut_off_by_its_token_limit() {
    check("cut off", "llm_bad_reply", |mut stream, _| {
        read_request(&mut stream);
        respond(
            &mut stream,
            "200 OK",
            "application/json",
            concat!(
                r#"{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"#,
                r#""finish_reason":"length","message":{"role":"assistant","content":"{\"classes\":[]}"}}],"#,
                r#""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            ),
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_server_writes_the_diagram_with_the_key_of_the_request() {
    let (seen, requests) = mpsc::channel();
    let (url, _open) = vendor(move |mut stream, _| {
        let _ = seen.send(read_request(&mut stream));
        let content =
            json!({"classes": [{"name": "Customer"}, {"name": "Order"}], "relationships": []}).to_string();
        let body = json!({
            "id": "1", "object": "chat.completion", "model": "m",
            "choices": [{
                "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}
            }],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        });
        respond(&mut stream, "200 OK", "application/json", &body.to_string());
    });
    let app = TestApp::start(None, &[("OPENAI_BASE_URL", &url), ("MODEL", "local-model")]).await;
    let request = axum::http::Request::post("/api/v1/generate/class-diagram")
        .header("content-type", "application/json")
        .header("x-ai-api-key", "sk-of-this-request")
        .header("x-ai-model", "chosen-model")
        .body(json!({"message": "A customer places orders."}).to_string().into())
        .expect("a request");
    let reply = app.send(request).await.json();
    let metadata = &reply["response"]["metadata"];
    assert_eq!(
        (&metadata["provider"], &metadata["model"], &metadata["validated"]),
        (&json!("compatible"), &json!("chosen-model"), &json!(true)),
        "{reply}"
    );
    assert_eq!(metadata["usage"]["input_tokens"], 11);
    let sent = requests.recv().expect("a request");
    assert!(
        sent.contains("sk-of-this-request") && sent.contains("chosen-model") && sent.contains("json_schema"),
        "{sent}"
    );
    let kept = format!("{:?}", app.generations().await);
    assert!(!kept.contains("sk-of-this-request"), "a key was stored");
}

#[tokio::test]
async fn user_provider_keys_are_used_and_never_shown() {
    let (sender, asked) = mpsc::channel::<String>();
    let (url, _open) = vendor(move |mut stream, _| {
        let request = read_request(&mut stream);
        let key = request.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .starts_with("authorization:")
                .then(|| line["authorization:".len()..].trim().to_owned())
        });
        let _ = sender.send(key.unwrap_or_default());
        respond(&mut stream, "500 Internal Server Error", "text/plain", "no");
    });
    let variables = [
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", "key-of-the-server"),
        ("SECRET_KEY", "an old key that is long enough to be one"),
    ];
    let app = TestApp::start(None, &variables).await;
    let mut ada = set_up(&app).await;
    let project =
        ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let who_pays = async |ada: &mut Browser, headers: &[(&str, &str)]| {
        let message = json!({"message": "A customer places orders.", "project_id": project});
        let reply = ada.send_with(&app, "POST", "/api/v1/generate/class-diagram", message, headers).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let first = asked.recv().expect("a question");
        while asked.try_recv().is_ok() {}
        first
    };
    assert_eq!(who_pays(&mut ada, &[]).await, "Bearer key-of-the-server");
    let of_project = format!("/api/v1/projects/{project}/provider-keys/compatible");
    let key = |key: &str| json!({"key": key});
    assert_eq!(ada.send(&app, "PUT", &of_project, key("key-of-the-project")).await.status, 204);
    assert_eq!(who_pays(&mut ada, &[]).await, "Bearer key-of-the-project");
    assert_eq!(
        ada.send(&app, "PUT", "/api/v1/me/provider-keys/compatible", key("key-of-ada")).await.status,
        204
    );
    assert_eq!(who_pays(&mut ada, &[]).await, "Bearer key-of-ada");
    assert_eq!(who_pays(&mut ada, &[("x-ai-api-key", "key-of-now")]).await, "Bearer key-of-now");
    for bad in ["short", "two words and more", "ключ-ключ-ключ"] {
        ada.send(&app, "PUT", &of_project, key(bad)).await.problem(422, "invalid_input");
    }
    ada.send(&app, "PUT", "/api/v1/me/provider-keys/oracle", key("key-of-ada"))
        .await
        .problem(422, "invalid_input");
    let shown = ada.get(&app, "/api/v1/me/provider-keys").await;
    assert_eq!(shown.json()[0]["hint"], "-ada");

    // SECRET_KEY is rotated while the server runs: keys stay usable, and the old secret decrypts nothing.
    let secrets = ["an old key that is long enough to be one", "a new key that is long enough to be one"];
    let with = |list: String| {
        let mut app = app.app.clone();
        app.sealer = Some(application::secrets::Sealer::new(&list).expect("a sealer"));
        app
    };
    let both = with(format!("{},{}", secrets[1], secrets[0]));
    let caller = application::access::Caller::local();
    let rotated = encryption::rotate(&both, &caller).await.expect("sealed anew");
    assert_eq!((rotated.keys, rotated.second_factors), (2, 0));
    let text =
        ada.send(&app, "POST", "/api/v1/generate/class-diagram", json!({"message": "A customer."})).await;
    text.problem(503, "unavailable");
    assert_eq!(encryption::rotate(&with(secrets[1].to_owned()), &caller).await.expect("sealed anew").keys, 2);

    // No key is stored in plain text.
    let mut kept = String::new();
    let store = app.app.store.as_ref().expect("a store");
    store.dump(|line| kept.push_str(line)).await.expect("a dump");
    for secret in ["key-of-the-project", "key-of-ada", "key-of-now", "key-of-the-server"] {
        assert!(!kept.contains(secret), "{secret} is in the database");
    }
    assert_eq!(ada.send(&app, "DELETE", &of_project, serde_json::Value::Null).await.status, 204);
    ada.send(&app, "DELETE", &of_project, serde_json::Value::Null).await.problem(404, "not_found");
}
