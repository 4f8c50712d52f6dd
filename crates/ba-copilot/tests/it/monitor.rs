//! `monitor` with real servers: JSON, text, and `--watch` on a terminal.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;
use tempfile::TempDir;
use test_support::skip;

use crate::{
    cli::run_in,
    process::{BINARY, Server},
};

#[test]
fn monitor_shows_a_server_under_load() {
    let folder = TempDir::new().expect("a folder");
    let server = Arc::new(Server::start(folder.path(), &[]));
    let url = format!("http://{}", server.address);
    // The first request starts the engine, which takes longer than the interval on a busy machine.
    server.generate("A customer places orders.").expect("a diagram");
    let ended = Arc::new(AtomicBool::new(false));
    let load = thread::spawn({
        let (server, ended) = (Arc::clone(&server), Arc::clone(&ended));
        move || {
            while !ended.load(Ordering::Relaxed) {
                server.generate("A customer places orders.").expect("a diagram");
            }
        }
    });
    let json = run_in(folder.path(), &["monitor", "--url", &url, "--interval", "1", "--json"], b"", &[]);
    let text = run_in(folder.path(), &["monitor", "--url", &url, "--interval", "1"], b"", &[]);
    ended.store(true, Ordering::Relaxed);
    load.join().expect("the load");
    assert_eq!((json.code, text.code), (0, 0), "{}{}{}{}", json.out, json.err, text.out, text.err);
    let readings: Value = serde_json::from_str(&json.out).expect("JSON");
    let reading = &readings[0];
    assert_eq!((&reading["state"], &reading["url"]), (&"healthy".into(), &url.as_str().into()), "{reading}");
    let number = |name: &str| reading[name].as_f64().unwrap_or_else(|| panic!("{name} of {reading}"));
    assert!(number("memory_bytes") > 1e6 && number("memory_percent") > 0.0, "{reading}");
    assert!(number("cpu_percent") > 0.0 && number("open_files") > 3.0, "{reading}");
    assert!(number("requests_per_s") > 0.0 && number("generations") > 0.0, "{reading}");
    assert_eq!((number("errors_percent"), number("retry_percent")), (0.0, 0.0), "{reading}");
    assert!(reading["latency"]["p99_ms"].as_f64() >= reading["latency"]["p50_ms"].as_f64(), "{reading}");
    for expected in
        [&*format!("{url}  healthy"), "database healthy", "requests/s, 0.0 % errors, p50", "MB memory"]
    {
        assert!(text.out.contains(expected), "{expected} in {}", text.out);
    }
}

#[test]
fn unreachable_server_is_an_error_and_others_are_shown() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let url = format!("http://{}", server.address);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let away = format!("http://{port}");
    let both = ["monitor", "--url", &url, "--url", &away, "--interval", "1", "--json"];
    let ran = run_in(folder.path(), &both, b"", &[]);
    let readings: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&readings[0]["state"], &readings[1]["state"]), (&"healthy".into(), &"unreachable".into()));
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains(&away) && ran.err.contains("cannot be reached"), "{}", ran.err);
}

#[test]
fn watch_shows_a_screen_until_interrupted() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let command =
        format!("stty rows 24 cols 120; exec {BINARY} monitor --watch --url http://{}", server.address);
    let mut child = match Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            skip(format!("script(1) cannot be started (package bsdutils): {error}"));
            return;
        }
    };
    let mut output = child.stdout.take().expect("an output");
    let mut shown = String::new();
    let mut part = [0; 4096];
    while !(shown.contains("healthy") && shown.contains("requests/s")) {
        let read = output.read(&mut part).expect("a screen");
        assert!(read > 0, "it ended early: {shown}");
        shown.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    child.stdin.take().expect("an input").write_all(b"\x03").expect("a key");
    output.read_to_string(&mut shown).expect("the rest");
    assert!(child.wait().expect("an end").success(), "{shown}");
    // The terminal is restored.
    assert!(shown.contains("\u{1b}[?1049h") && shown.contains("\u{1b}[?1049l"), "{shown:?}");
}
