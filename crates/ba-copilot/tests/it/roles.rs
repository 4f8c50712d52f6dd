//! One process for each role on one database: generation goes to the role `ai`, and runs locally while that is
//! unavailable, returns invalid results, or requires another token.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{acknowledged_writes::wait_for, process::Server};

pub(crate) const TEXT: &str = "A customer places orders. Each order has a date.";
pub(crate) const GENERATE: &str = "/api/v1/generate/class-diagram";

pub(crate) fn start(role: &str, data: &Path, variables: &[(&str, &str)]) -> Server {
    Server::start_with(&["--role", role, "--listen", "127.0.0.1:0"], data, variables)
}

pub(crate) fn health(server: &Server) -> Value {
    let (_, body) = server.request("GET", "/health", "").expect("health");
    serde_json::from_str(&body).expect("JSON")
}

/// The number of diagrams that a process has written.
pub(crate) fn written(server: &Server) -> f64 {
    let (_, metrics) = server.request("GET", "/metrics", "").expect("metrics");
    let of_generations = |line: &&str| line.starts_with("ba_copilot_generations_total{");
    metrics
        .lines()
        .filter(of_generations)
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Generates a diagram and checks that it is valid.
fn generated(server: &Server) -> Value {
    let answer = server.generate(TEXT).expect("an answer");
    assert_eq!(answer["response"]["metadata"]["validated"], json!(true), "{answer}");
    assert!(answer["response"]["metadata"]["diagram_id"].is_string(), "the diagram is not stored: {answer}");
    answer
}

#[test]
fn each_role_does_its_part() {
    let data = TempDir::new().expect("a folder");
    let other_data = TempDir::new().expect("a folder");
    let token = ("AI_SERVICE_TOKEN", "a-token-for-this-test");
    let mcp = start("mcp", other_data.path(), &[]);
    let checker = format!("http://{}", mcp.address);
    let ai = start("ai", other_data.path(), &[("MCP_SERVER_URL", &checker), token]);
    let url = format!("http://{}", ai.address);
    let variables = [("AI_SERVICE_URL", url.as_str()), ("MCP_SERVER_URL", &checker), token];
    let web = start("web", data.path(), &variables);
    let api = start("api", data.path(), &variables);

    // A diagram written through one process is visible in the other; the role `ai` generated it.
    for (number, server) in [&web, &api].into_iter().enumerate() {
        let before = written(&ai);
        let answer = generated(server);
        assert_eq!(written(&ai), before + 1.0, "ai did not generate diagram {number}");
        let id = answer["response"]["metadata"]["diagram_id"].as_str().expect("an id");
        for other in [&web, &api] {
            let (status, body) =
                other.request("GET", &format!("/api/v1/diagrams/{id}"), "").expect("a diagram");
            assert_eq!(status, 200, "{body}");
        }
        let response = &answer["response"];
        assert_eq!(response["blueprint"]["classes"][0]["name"], "Customer", "{answer}");
        assert_eq!(response["trace"][0]["text"], "customer", "{answer}");
        assert_eq!(response["metadata"]["written"], "builtin", "{answer}");
    }
    // Pages are served by web, not by api.
    assert_eq!(web.request("GET", "/projects", "").expect("a page").0, 200);
    assert_eq!(api.request("GET", "/projects", "").expect("no page").0, 404);
    assert!(api.request("GET", "/", "").expect("a line").1.contains("BA Copilot"));
    for server in [&web, &api, &ai, &mcp] {
        wait_for("healthy", || health(server)["status"] == "healthy");
        for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
            assert_eq!(server.request("GET", path, "").expect("an answer").0, 200, "{path}");
        }
    }
    assert_eq!(health(&api)["checks"]["ai_service"]["status"], "healthy");
    // The role `ai` rejects requests without a token.
    let body = json!({"message": TEXT}).to_string();
    assert_eq!(ai.request("POST", GENERATE, &body).expect("an answer").0, 401);

    // Events of a stream are forwarded.
    let events = stream(&api, &json!({"message": TEXT}));
    assert!(events.contains("event: status") && events.contains("event: result"), "{events}");

    // The role `ai` stops: the requesting process generates the diagram and reports it in /health.
    let address = ai.address.clone();
    drop(ai);
    for _ in 0..4 {
        generated(&api);
    }
    wait_for("degraded", || health(&api)["status"] == "degraded");
    let check = health(&api)["checks"]["ai_service"].clone();
    assert!(check["error"].as_str().is_some_and(|error| error.contains("cannot be reached")), "{check}");
    // The role `ai` starts again.
    let arguments = ["--role", "ai", "--listen", address.as_str()];
    let ai = Server::start_with(&arguments, other_data.path(), &[("MCP_SERVER_URL", &checker), token]);
    wait_for("healthy", || health(&api)["status"] == "healthy");
    generated(&api);
    assert_eq!(written(&ai), 1.0);
    api.signal("-TERM");
    let (_, log) = api.wait();
    assert_eq!(log.matches("Generating in this process").count(), 1, "{log}");
    assert_eq!(log.matches("AI service is available again").count(), 1, "{log}");
    assert!(!log.contains("a-token") && !log.contains("customer"), "{log}");
}

#[test]
fn session_of_web_is_valid_on_api() {
    let (data, other_data) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let mut user = std::process::Command::new(crate::process::BINARY)
        .args(["user", "add", "ada@example.com", "--password-stdin", "--data"])
        .arg(data.path())
        .env_clear()
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    user.stdin.take().expect("a pipe").write_all(b"correct horse battery staple\n").expect("a password");
    assert!(user.wait().expect("an end").success());
    let ai = start("ai", other_data.path(), &[]);
    let url = format!("http://{}", ai.address);
    let (web, api) = (start("web", data.path(), &[]), start("api", data.path(), &[("AI_SERVICE_URL", &url)]));
    let question = json!({"message": TEXT}).to_string();
    let stranger = raw(&api, &format!("POST {GENERATE}"), "", &question);
    assert!(stranger.starts_with("HTTP/1.1 401"), "{stranger}");
    let password = json!({"email": "ada@example.com", "password": "correct horse battery staple"});
    let signed_in = raw(&web, "POST /api/v1/sign-in", "", &password.to_string());
    let session = signed_in
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next())
        .find(|cookie| cookie.starts_with("bac_session="))
        .unwrap_or_else(|| panic!("no session: {signed_in}"));
    let answer = raw(&api, &format!("POST {GENERATE}"), &format!("cookie: {session}\r\n"), &question);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"validated\":true"), "{answer}");
    assert_eq!(written(&ai), 1.0, "{answer}");
}

#[test]
fn jobs_run_in_the_api_role() {
    let data = TempDir::new().expect("a folder");
    let web = start("web", data.path(), &[]);
    let made = raw(
        &web,
        &format!("POST {GENERATE}"),
        "prefer: respond-async\r\n",
        &json!({"message": TEXT}).to_string(),
    );
    let made: Value = serde_json::from_str(made.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    let path = format!("/api/v1/jobs/{}", made["id"].as_str().expect("an id"));
    let status = |server: &Server| {
        let (_, body) = server.request("GET", &path, "").expect("a job");
        serde_json::from_str::<Value>(&body).expect("JSON")["status"].clone()
    };
    // Longer than the other role needs; no process takes the job.
    generated(&web);
    assert_eq!(status(&web), "waiting");
    let api = start("api", data.path(), &[]);
    wait_for("the job", || status(&api) == "done");
}

#[test]
fn unknown_service_token_is_reported() {
    let data = TempDir::new().expect("a folder");
    let ai = start("ai", data.path(), &[("AI_SERVICE_TOKEN", "right,older")]);
    let url = format!("http://{}", ai.address);
    let all = start("all", data.path(), &[("AI_SERVICE_URL", &url), ("AI_SERVICE_TOKEN", "wrong")]);
    generated(&all);
    assert_eq!((written(&ai), written(&all)), (0.0, 1.0));
    let check = health(&all)["checks"]["ai_service"].clone();
    assert!(check["error"].as_str().is_some_and(|error| error.contains("AI_SERVICE_TOKEN")), "{check}");
    let verify = |server: &Server| {
        let url = format!("http://{}", server.address);
        let output = std::process::Command::new(crate::process::BINARY)
            .args(["verify", "--url", &url])
            .env_clear()
            .output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    };
    let said = verify(&all);
    assert!(said.contains("ai_service: degraded") && said.contains("AI_SERVICE_TOKEN"), "{said}");
    // The token that is being replaced is still valid.
    let second = TempDir::new().expect("a folder");
    let all = start("all", second.path(), &[("AI_SERVICE_URL", &url), ("AI_SERVICE_TOKEN", "older")]);
    generated(&all);
    assert_eq!((written(&ai), health(&all)["status"].as_str()), (1.0, Some("healthy")));
    let said = verify(&all);
    assert!(said.contains("database, ai_service") && !said.contains("ai_service:"), "{said}");
}

#[test]
fn remote_generator_output_is_checked_and_keys_are_not_forwarded() {
    let valid = "classDiagram\n    class Made";
    let quoted = json!([{"element": "Made", "requirement": 1, "start": 2, "end": 10, "text": "customer"}]);
    let misquoted = json!([{"element": "Made", "requirement": 1, "start": 0, "end": 10, "text": "canary"}]);
    let reply = |text: &str, trace: &Value| result_event(text, trace, &Value::Null, true);
    let of_something_else = json!({"kind": "class", "classes": [{"name": "Invented"}], "relationships": []});
    // The answer, whether it is accepted, and the number of traced words in the result.
    for (answer, accepted) in [
        (reply(valid, &quoted), Some(1)),
        (reply(valid, &misquoted), Some(0)),
        (reply("classDiagram\n  class {{{", &json!([])), None),
        // Accepted neither as an invalid diagram: this process generates a valid one.
        (result_event("classDiagram\n  class {{{", &json!([]), &Value::Null, false), None),
        // The text is valid, but the blueprint does not match it.
        (result_event(valid, &quoted, &of_something_else, true), Some(1)),
        (reply("", &json!([])), None),
        ("event: result\ndata: {\"response\":{}}\n\n".to_owned(), None),
        ("event: result\ndata: nonsense\n\n".to_owned(), None),
        ("event: status\ndata: {\"stage\":\"asking\"}\n\n".to_owned(), None),
        (String::new(), None),
    ] {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let (address, heard) = fake_generator(format!("{head}{answer}"));
        let data = TempDir::new().expect("a folder");
        let url = format!("http://{address}");
        // The provider does not exist, so local generation falls back to the built-in draft.
        let vendor = ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
        let variables = [("AI_SERVICE_URL", url.as_str()), ("AI_SERVICE_TOKEN", "canary-token-1"), vendor];
        let all = start("all", data.path(), &variables);
        let reply = generated(&all);
        let is_remote = reply["response"]["detail"].as_str().is_some_and(|text| text.contains("class Made"));
        assert_eq!(is_remote, accepted.is_some(), "{answer}: {reply}");
        if let Some(traced) = accepted {
            assert_eq!(reply["response"]["blueprint"]["classes"][0]["name"], "Made", "{reply}");
            assert_eq!(reply["response"]["trace"].as_array().map(Vec::len), Some(traced), "{reply}");
        }
        let heard = heard.lock().expect("heard").join("");
        assert!(heard.contains("x-ai-api-key: canary-key-77"), "{heard}");
        assert!(
            heard.contains("authorization: Bearer canary-token-1") && heard.contains("traceparent: 00-"),
            "{heard}"
        );
        all.signal("-TERM");
        let (_, log) = all.wait();
        assert!(!log.contains("canary"), "{log}");
    }
}

/// A result event with this diagram.
fn result_event(text: &str, trace: &Value, blueprint: &Value, validated: bool) -> String {
    let metadata = json!({
        "validated": validated, "written": "model", "retry_count": 0, "repairs": [], "model": "m",
        "usage": {"input_tokens": 1, "output_tokens": 1}
    });
    let response = json!({
        "detail": format!("```mermaid\n{text}\n```"),
        "blueprint": blueprint, "trace": trace, "metadata": metadata
    });
    format!("event: result\ndata: {}\n\n", json!({"type": "diagram", "response": response}))
}

#[test]
fn servers_cannot_form_a_loop() {
    let (first, second) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    // With one settings file for all processes, the role `ai` ignores AI_SERVICE_URL and forwards no request.
    let ai = start("ai", first.path(), &[("AI_SERVICE_URL", "http://127.0.0.1:9")]);
    let (status, body) =
        ai.request("POST", GENERATE, &json!({"message": TEXT}).to_string()).expect("an answer");
    assert!(status == 200 && health(&ai)["checks"]["ai_service"].is_null(), "{body}");
    // Two processes that refer to each other, and one that refers to itself.
    let far = start("all", second.path(), &[("AI_SERVICE_URL", "http://127.0.0.1:9")]);
    let near = start("all", first.path(), &[("AI_SERVICE_URL", &format!("http://{}", far.address))]);
    for _ in 0..4 {
        generated(&near);
    }
    assert_eq!((written(&near), written(&far)), (4.0, 0.0));
    wait_for("degraded", || health(&near)["status"] == "degraded");
    let check = health(&near)["checks"]["ai_service"].clone();
    assert!(check["error"].as_str().is_some_and(|error| error.contains("process of the role ai")), "{check}");
}

#[test]
fn allowed_hosts_do_not_apply_between_processes() {
    let data = TempDir::new().expect("a folder");
    let token = ("AI_SERVICE_TOKEN", "a-token-for-this-test");
    let names = ("ALLOWED_HOSTS", "ba.example.com");
    let user = std::process::Command::new(crate::process::BINARY)
        .args(["user", "add", "ada@example.com", "--data"])
        .arg(data.path())
        .env_clear()
        .output()
        .expect("it runs");
    assert!(user.status.success(), "{}", String::from_utf8_lossy(&user.stderr));
    let status = |server: &Server, line: &str, host: &str, more: &str, body: &str| {
        let answer = raw_as(server, line, host, more, body);
        answer.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    let others = |role: &str, more: &[(&str, &str)]| {
        let variables = [&[names, token], more].concat();
        let mut server =
            Server::start_with(&["--role", role, "--listen", "0.0.0.0:0"], data.path(), &variables);
        server.address = server.address.replace("0.0.0.0", "127.0.0.1");
        server
    };
    let (ai, web) = (others("ai", &[]), others("web", &[]));
    let body = json!({"message": TEXT}).to_string();
    let bearer = "authorization: Bearer a-token-for-this-test\r\n";
    assert_eq!(status(&ai, &format!("POST {GENERATE}"), "ai-blue:8000", bearer, &body), 200);
    assert_eq!(status(&ai, &format!("POST {GENERATE}"), "ai-blue:8000", "", &body), 401);
    for path in ["/health", "/livez", "/readyz", "/startupz", "/metrics"] {
        for host in ["web-blue:3000", "10.0.0.7:3000", "ba.example.com"] {
            assert_eq!(status(&web, &format!("GET {path}"), host, "", ""), 200, "{path} of {host}");
        }
    }
    // Pages are for browsers, which must use an allowed host name.
    assert_eq!(status(&web, "GET /sign-in", "elsewhere.example.com", "", ""), 421);
    assert_eq!(status(&web, "GET /sign-in", "ba.example.com", "", ""), 200);
}

/// A server that returns this answer to every generation request, and records the head of each request.
pub(crate) fn fake_generator(answer: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&heard);
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(connection.try_clone().expect("a connection"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap_or(0);
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            recorded.lock().expect("heard").push(head);
            let is_question =
                recorded.lock().expect("heard").last().is_some_and(|head| head.starts_with("POST"));
            if is_question {
                let _ = connection.write_all(answer.as_bytes());
            }
        }
    });
    (address, heard)
}

/// Sends one request and returns the whole response.
pub(crate) fn raw(server: &Server, line: &str, more: &str, body: &str) -> String {
    raw_as(server, line, &server.address, more, body)
}

/// The same, with this host name.
fn raw_as(server: &Server, line: &str, host: &str, more: &str, body: &str) -> String {
    let mut stream = std::net::TcpStream::connect(&server.address).expect("a connection");
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn stream(server: &Server, body: &Value) -> String {
    raw(server, &format!("POST {GENERATE}"), "accept: text/event-stream\r\n", &body.to_string())
}
