//! The life cycle of the process: shutdown, reload on SIGHUP, notifications to the service manager, trace context,
//! and the health check of containers.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::wait_for;

use crate::{cli::run_in, process::Server};

fn status(server: &Server, path: &str) -> Option<u16> {
    server.request("GET", path, "").ok().map(|(status, _)| status)
}

#[test]
fn shutdown_is_announced_while_requests_are_answered() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[("BA_COPILOT__SERVER__DRAIN_S", "5")]);
    assert_eq!(status(&server, "/readyz"), Some(200));
    server.signal("-TERM");
    wait_for("not ready", || status(&server, "/readyz") == Some(503));
    assert_eq!((status(&server, "/livez"), status(&server, "/health")), (Some(200), Some(200)));
    server.generate("A customer places orders.").expect("a diagram");
    let (ended, log) = server.wait();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(log.contains("Shutting down: not ready") && log.contains("all requests were answered"), "{log}");
}

#[test]
fn second_signal_stops_immediately() {
    let folder = TempDir::new().expect("a folder");
    for (variable, readyz) in
        [("BA_COPILOT__SERVER__DRAIN_S", Some(503)), ("BA_COPILOT__SERVER__SHUTDOWN_S", None)]
    {
        let server = Server::start(folder.path(), &[(variable, "600")]);
        let held = open_request(&server);
        server.signal("-TERM");
        wait_for("shutdown has started", || status(&server, "/readyz") == readyz);
        server.signal("-TERM");
        let (ended, log) = server.wait();
        assert_eq!(ended.code(), Some(1), "{log}");
        assert!(log.contains("after a second signal"), "{log}");
        drop(held);
    }
}

#[test]
fn shutdown_timeout_cuts_requests_and_exits_with_an_error() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[("BA_COPILOT__SERVER__SHUTDOWN_S", "1")]);
    let held = open_request(&server);
    server.signal("-TERM");
    let (ended, log) = server.wait();
    assert_eq!(ended.code(), Some(1), "{log}");
    assert!(log.contains("Exiting with running requests"), "{log}");
    drop(held);
}

/// Starts a request that stays open until the stream is dropped: the server has asked for its body.
fn open_request(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let head = format!(
        "POST /api/v1/validate HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).expect("an answer");
    assert_eq!(&begun, b"HTTP/1.1 100");
    stream
}

#[test]
fn sighup_reloads_the_log_level() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("settings.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write("[log]\nlevel = \"info\"\n");
    let config = file.display().to_string();
    let server = Server::start_with(&["--listen", "127.0.0.1:0", "--config", &config], folder.path(), &[]);
    let answered = |server: &Server| server.logged().contains("Answered GET /livez");
    assert_eq!(status(&server, "/livez"), Some(200));
    assert!(!answered(&server));
    for (text, expected) in [
        ("[log]\nlevel = \"loud\"\n", "The log level was not changed"),
        ("[log]\nlevle = \"debug\"\n", "Did you mean `log.level`"),
        ("[log]\nlevel = \"debug\"\n", "the log level is debug"),
    ] {
        assert!(!answered(&server));
        write(text);
        server.signal("-HUP");
        wait_for(expected, || server.logged().contains(expected));
        assert_eq!(status(&server, "/livez"), Some(200));
    }
    wait_for("a line of the level debug", || answered(&server));
    server.signal("-TERM");
    let (ended, log) = server.wait();
    assert_eq!(ended.code(), Some(0), "{log}");
}

#[test]
fn log_level_changes_at_run_time() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let level = |method: &str, body: &str| {
        let (status, body) = server.request(method, "/api/v1/log-level", body).expect("an answer");
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    assert_eq!(level("GET", ""), (200, json!({"level": "info"})));
    for wrong in ["loud", "off", "hyper=trace", "info,sqlx=trace", "DEBUG", ""] {
        let (status, problem) = level("PUT", &json!({"level": wrong}).to_string());
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_input")), "{problem}");
    }
    assert_eq!(level("GET", ""), (200, json!({"level": "info"})));
    assert_eq!(level("PUT", r#"{"level":"debug"}"#), (200, json!({"level": "debug"})));
    assert_eq!(status(&server, "/livez"), Some(200));
    wait_for("a line of the level debug", || server.logged().contains("Answered GET /livez"));
    assert_eq!(level("PUT", r#"{"level":"error"}"#), (200, json!({"level": "error"})));
    assert_eq!(level("GET", ""), (200, json!({"level": "error"})));
    let (_, events) = server.request("GET", "/api/v1/audit-events?action=log_level.", "").expect("events");
    let events: Value = serde_json::from_str(&events).expect("JSON");
    let details: Vec<&Value> =
        events["items"].as_array().expect("events").iter().map(|event| &event["details"]).collect();
    assert_eq!(details, [&json!({"from": "debug", "to": "error"}), &json!({"from": "info", "to": "debug"})]);
}

#[test]
fn service_manager_is_notified() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("notify").display().to_string();
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let next = || {
        let mut buffer = [0; 512];
        let read = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    let until = |state: &str| {
        while !next().starts_with(state) {
            // Other messages are not checked here.
        }
    };
    let server = Server::start(folder.path(), &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "200000")]);
    let ready = next();
    assert!(ready.starts_with("READY=1\nSTATUS=Serving http://127.0.0.1:"), "{ready}");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    server.signal("-HUP");
    until("RELOADING=1\nMONOTONIC_USEC=");
    until("READY=1");
    server.signal("-TERM");
    until("STOPPING=1");
    let (ended, log) = server.wait();
    assert_eq!(ended.code(), Some(0), "{log}");
    // Watchdog settings of another process are ignored, and a missing service manager is not an error.
    let others = [("NOTIFY_SOCKET", "/nobody/listens"), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let server = Server::start(folder.path(), &others);
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn trace_context_is_propagated_to_the_checker() {
    let folder = TempDir::new().expect("a folder");
    let start = |role: &str, variables: &[(&str, &str)]| {
        Server::start_with(&["--role", role, "--listen", "127.0.0.1:0"], folder.path(), variables)
    };
    let checker = start("mcp", &[("LOG_LEVEL", "debug")]);
    let server = start("ai", &[("MCP_SERVER_URL", &format!("http://{}", checker.address))]);
    let id = "0af7651916cd43dd8448eb211c80319c";
    let body = r#"{"code":"flowchart LR\n  traced --> b"}"#;
    let head = format!(
        "POST /api/v1/validate HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         traceparent: 00-{id}-b7ad6b7169203331-01\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("\"mode\":\"remote\""), "{answer}");
    let has_trace = |server: &Server, message: &str| {
        server.logged().lines().any(|line| line.contains(message) && line.contains(id))
    };
    wait_for("the trace in the log", || has_trace(&server, "Answered POST /api/v1/validate"));
    wait_for("the trace in the log of the checker", || {
        has_trace(&checker, "Answered a call of validate_mermaid")
    });
    // A request without a trace context starts a new trace.
    assert_eq!(status(&server, "/api/v1/nothing"), Some(404));
    wait_for("another trace", || {
        let log = server.logged();
        let line = log.lines().find(|line| line.contains("with 404")).map(str::to_owned);
        line.and_then(|line| serde_json::from_str::<Value>(&line).ok()).is_some_and(|line| {
            line["span"]["trace.id"].as_str().is_some_and(|trace| trace.len() == 32 && trace != id)
        })
    });
}

#[test]
fn healthcheck_command_reports_health() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    let listen = format!("0.0.0.0:{port}");
    let url = format!("http://{}", server.address);
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let ran = run_in(folder.path(), &[&["healthcheck"], arguments].concat(), b"", variables);
        (ran.code, ran.out + &ran.err)
    };
    assert_eq!(check(&["--url", &url], &[]), (0, "healthy\n".to_owned()));
    // Without `--url`, the address is that of the configuration.
    assert_eq!(check(&[], &[("BA_COPILOT__SERVER__LISTEN", &listen)]), (0, "healthy\n".to_owned()));
    server.signal("-KILL");
    server.wait();
    let (code, said) = check(&["--role", "mcp"], &[("BA_COPILOT__SERVER__LISTEN", &listen)]);
    assert!(code == 1 && said.contains("cannot be reached"), "{code} {said}");
    assert_eq!(check(&["--url", "nonsense"], &[]).0, 2);
}
