//! Slow and numerous connections: they are closed, and other clients are answered in the meantime.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{BINARY, Server};

/// Longer than every time limit of the program.
const PATIENCE: Duration = Duration::from_secs(60);
/// The lowest permitted limits.
const SHORT: [(&str, &str); 5] = [
    ("BA_COPILOT__SERVER__HEADER_READ_S", "2"),
    ("BA_COPILOT__SERVER__BODY_IDLE_S", "1"),
    ("BA_COPILOT__SERVER__BODY_TOTAL_S", "3"),
    ("BA_COPILOT__SERVER__KEEP_ALIVE_S", "1"),
    ("BA_COPILOT__SERVER__WRITE_IDLE_S", "1"),
];

/// Raises the limit of open files of the test process.
fn allow_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { ..limit }).expect("allowed");
}

/// A server with limits of open files set by the shell: `-Sn 1024` for the soft one, `-n 512` for both.
fn server_with(ulimit: &str, data: &TempDir, variables: &[(&str, &str)]) -> Server {
    let mut program = Command::new("/bin/sh");
    program.args(["-c", &format!("ulimit {ulimit}; exec \"$@\""), "sh", BINARY, "serve"]);
    program.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    Server::run(program, data.path(), variables)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// A connection on which this text was sent, as far as the server has not closed it.
fn sent(server: &Server, text: &str) -> TcpStream {
    let mut stream = connect(server);
    let _ = stream.write_all(text.as_bytes());
    stream
}

/// The data received until the server closed the connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (),
        Err(error) => panic!("it was not closed: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Checks that regular requests are answered.
fn honest(server: &Server) {
    for (method, path, body) in [
        ("GET", "/health", ""),
        ("GET", "/", ""),
        ("POST", "/api/v1/validate", r#"{"code":"flowchart LR\n a --> b"}"#),
    ] {
        let (status, answer) = server.request(method, path, body).expect("an answer");
        assert_eq!(status, 200, "{path}: {answer}");
    }
}

/// The number of connections that the server closed for this reason.
fn closed(server: &Server, reason: &str) -> u64 {
    let (_, text) = server.request("GET", "/metrics", "").expect("metrics");
    let line = format!("ba_copilot_connections_closed_total{{reason=\"{reason}\"}} ");
    let value = text.lines().find_map(|it| it.strip_prefix(&line)).expect("a counter");
    value.parse().expect("a number")
}

#[test]
fn incomplete_headers_block_no_client_and_are_closed() {
    allow_connections();
    let data = TempDir::new().expect("a folder");
    // A soft limit of 1,024 files, the default of most systems, is raised.
    let server = server_with("-Sn 1024", &data, &[("BA_COPILOT__SERVER__HEADER_READ_S", "5")]);
    let half = format!("GET /health HTTP/1.1\r\nhost: {}\r\nx-slow: ", server.address);
    let mut slow: Vec<TcpStream> = (0..1_100).map(|_| sent(&server, &half)).collect();
    honest(&server);
    // A client that sends slowly without end is closed like one that stops.
    let mut trickling = sent(&server, &half);
    let (stop, stopped) = mpsc::channel::<()>();
    let mut writing = trickling.try_clone().expect("the same");
    let trickle = thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
            if writing.write_all(b"x").is_err() {
                break;
            }
        }
    });
    for stream in slow.iter_mut().chain([&mut trickling]) {
        assert_eq!(rest(stream), "", "an incomplete request was answered");
    }
    drop(stop);
    trickle.join().expect("an end");
    honest(&server);
    assert_eq!(closed(&server, "header_timeout"), 1_101);
    assert_eq!(closed(&server, "refused"), 0);
}

#[test]
fn idle_connections_are_closed_when_file_descriptors_are_scarce() {
    allow_connections();
    let data = TempDir::new().expect("a folder");
    // In this test no connection is closed for being slow.
    let limits = [("BA_COPILOT__SERVER__HEADER_READ_S", "600"), ("BA_COPILOT__SERVER__BODY_IDLE_S", "600")];
    let server = server_with("-n 512", &data, &limits);
    let half = format!("GET /health HTTP/1.1\r\nhost: {}\r\nx-slow: ", server.address);
    let body = format!(
        "POST /api/v1/validate HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        server.address
    );
    let mut held = Vec::new();
    for round in 0..8 {
        let text = if round % 2 == 0 { &half } else { &body };
        held.extend((0..200).map(|_| sent(&server, text)));
        honest(&server);
    }
    assert!(closed(&server, "too_many") > 1_000, "{}", closed(&server, "too_many"));
    assert_eq!(closed(&server, "refused"), 0);
    drop(held);
    honest(&server);
}

#[test]
fn idle_connections_are_closed_when_no_file_descriptor_is_left() {
    allow_connections();
    let data = TempDir::new().expect("a folder");
    let server = server_with("-n 4096", &data, &[("BA_COPILOT__SERVER__HEADER_READ_S", "600")]);
    honest(&server);
    // Fewer files than the connection limit assumes, as when another part of the process uses them.
    let files = fs::read_dir(format!("/proc/{}/fd", server.process_id())).expect("files").count() as u64 + 20;
    let process = i32::try_from(server.process_id()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(files), maximum: Some(4096) };
    prlimit(process, Resource::Nofile, limit).expect("allowed");
    let half = format!("GET /livez HTTP/1.1\r\nhost: {}\r\nx-slow: ", server.address);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.extend((0..40).map(|_| sent(&server, &half)));
        assert_eq!(server.request("GET", "/livez", "").expect("an answer").0, 200);
    }
    assert!(closed(&server, "too_many") > 0);
    drop(held);
    // The fault is logged, and not once for every connection.
    assert_eq!(
        server.logged().matches("A connection could not be accepted").count(),
        1,
        "{}",
        server.logged()
    );
    honest(&server);
}

#[test]
fn connection_over_the_limit_is_refused_when_all_are_busy() {
    let data = TempDir::new().expect("a folder");
    let server = server_with("-n 4096", &data, &[("BA_COPILOT__SERVER__MAX_CONNECTIONS", "16")]);
    let events = format!("GET /api/v1/projects/default/events HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    let mut streams: Vec<TcpStream> = (0..16).map(|_| sent(&server, &events)).collect();
    for stream in &mut streams {
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).expect("an answer");
        assert_eq!(&begin, b"HTTP/1.1 200");
    }
    let refused = rest(&mut connect(&server));
    let (head, body) = refused.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5"), "{head}");
    let problem: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["code"], "too_many_connections");
    // A released connection slot is available for the next connection.
    streams.pop();
    let answered = (0..).map(|_| server.request("GET", "/livez", "")).find_map(|answer| match answer {
        Ok((200, _)) => Some(()),
        Ok((503, _)) | Err(_) => None,
        Ok((status, _)) => panic!("{status}"),
    });
    assert!(answered.is_some());
}

#[test]
fn slow_bodies_are_answered_with_408() {
    let data = TempDir::new().expect("a folder");
    let server = server_with("-n 4096", &data, &SHORT);
    let head = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {kind}\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: 1000\r\n\r\n{{",
            server.address
        )
    };
    let mut stopped: Vec<TcpStream> = [
        ("/api/v1/validate", "application/json"),
        ("/api/v1/generate/class-diagram", "application/json"),
        ("/api/v1/projects/default/requirements/import", "application/json"),
        ("/mcp", "application/json"),
        ("/", "application/x-www-form-urlencoded"),
    ]
    .iter()
    .flat_map(|(path, kind)| (0..20).map(|_| sent(&server, &head(path, kind))).collect::<Vec<_>>())
    .collect();
    // With an idempotency key the body is read before anything else.
    let keyed =
        head("/api/v1/validate", "application/json").replacen("\r\n", "\r\nidempotency-key: one\r\n", 1);
    stopped.push(sent(&server, &keyed));
    honest(&server);
    // A body sent in small parts also times out.
    let mut trickling = sent(&server, &head("/api/v1/validate", "application/json"));
    let mut writing = trickling.try_clone().expect("the same");
    let (stop, stop_signal) = mpsc::channel::<()>();
    let trickle = thread::spawn(move || {
        while stop_signal.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
            if writing.write_all(b" ").is_err() {
                break;
            }
        }
    });
    for stream in stopped.iter_mut().chain([&mut trickling]) {
        let answer = rest(stream);
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 408 ") && head.contains("connection: close"), "{answer}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(problem["code"], "body_timeout");
        assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{problem}");
    }
    drop(stop);
    trickle.join().expect("an end");
    honest(&server);
}

#[test]
fn idle_connections_and_unread_responses_are_closed() {
    let data = TempDir::new().expect("a folder");
    let server = server_with("-n 4096", &data, &SHORT);
    // A new connection without a request, and one after its response.
    let mut silent = connect(&server);
    let mut idle = sent(&server, &format!("GET /livez HTTP/1.1\r\nhost: {}\r\n\r\n", server.address));
    assert!(rest(&mut idle).starts_with("HTTP/1.1 200 "));
    assert_eq!(rest(&mut silent), "");
    assert_eq!((closed(&server, "header_timeout"), closed(&server, "idle_timeout")), (1, 1));

    // A response larger than all buffers, requested by a client that does not read it.
    let page = format!("GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    let unread = sent(&server, &page.repeat(100));
    while closed(&server, "write_timeout") == 0 {
        honest(&server);
    }
    drop(unread);
}

#[test]
fn streams_and_long_work_are_not_cut() {
    let data = TempDir::new().expect("a folder");
    // A model that answers when the test permits it.
    let model = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("http://{}/v1/", model.local_addr().expect("an address"));
    let (answer, may_answer) = mpsc::channel::<()>();
    thread::spawn(move || {
        for stream in model.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = may_answer.recv();
            let _ = stream.write_all(
                b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
    });
    let variables: Vec<(&str, &str)> =
        SHORT.into_iter().chain([("OPENAI_BASE_URL", url.as_str()), ("MODEL", "m")]).collect();
    let server = server_with("-n 4096", &data, &variables);
    let host = server.address.clone();
    let mut events =
        sent(&server, &format!("GET /api/v1/projects/default/events HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    let mut begin = [0; 12];
    events.read_exact(&mut begin).expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200");
    let message = json!({"message": "A customer places orders."}).to_string();
    let mut long = sent(
        &server,
        &format!(
            "POST /api/v1/generate/class-diagram HTTP/1.1\r\nhost: {host}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{message}",
            message.len()
        ),
    );
    // Every limit expires on each connection in turn.
    for _ in 0..3 {
        assert_eq!(rest(&mut connect(&server)), "");
    }
    drop(answer);
    let generated = rest(&mut long);
    assert!(
        generated.starts_with("HTTP/1.1 200 ") && generated.contains("\"validated\":true"),
        "{generated}"
    );
    let requirement = json!({"text": "A customer places orders."}).to_string();
    let made =
        server.request("POST", "/api/v1/projects/default/requirements", &requirement).expect("an answer");
    assert_eq!(made.0, 201, "{}", made.1);
    let mut received = String::new();
    while !received.contains("requirement") {
        let mut bytes = [0; 4096];
        let read = events.read(&mut bytes).expect("an event");
        assert!(read > 0, "the stream was cut: {received}");
        received.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}
