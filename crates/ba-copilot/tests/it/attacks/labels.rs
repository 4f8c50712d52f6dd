//! Values chosen by callers must not become metric labels: each value is a time series that stays in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::json;
use server::{
    ACCESS_BY_PATH,
    metric_labels::{most_series_of_all, values_of},
};
use telemetry::metrics_table::{Kind, METRICS};
use tempfile::TempDir;

use crate::process::Server;

/// Sends requests in sequence on one connection, and reads all responses.
fn send(server: &Server, requests: &[String]) -> String {
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let mut writing = stream.try_clone().expect("the same");
    let all = requests.concat();
    let writer = std::thread::spawn(move || writing.write_all(all.as_bytes()));
    let mut answers = Vec::new();
    // The server may close a connection after an unreadable request.
    let _ = stream.read_to_end(&mut answers);
    let _ = writer.join().expect("written");
    String::from_utf8_lossy(&answers).into_owned()
}

/// Requests with invented values in every field, different in each round.
fn hostile(server: &Server, round: usize) {
    let mut requests: Vec<String> = Vec::new();
    let mut add = |method: &str, path: &str, host: &str, headers: &str, body: &str| {
        requests.push(format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: invented-{round}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             {headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ));
    };
    let address = server.address.clone();
    for n in 0..2_000 {
        add(&format!("M{round}X{n}"), "/health", &address, "", "");
    }
    for n in 0..200 {
        let (word, long) = (format!("w{round}x{n}"), "L".repeat(500));
        add("GET", &format!("/{word}/{long}?{word}={word}"), &address, "", "");
        add("GET", "/health", &format!("{word}.example"), "", "");
        add(&format!("{word}{long}"), &format!("/api/v1/projects/{word}"), &address, "", "");
        add("GET", &format!("/api/v1/diagrams/{word}/versions/{n}"), &address, "", "");
        let message =
            json!({"message": "A customer places orders.", "provider": word, "model": word, "target": word})
                .to_string();
        add("POST", &format!("/api/v1/generate/{word}-diagram"), &address, "", &message);
        add(
            "POST",
            "/api/v1/generate/class-diagram",
            &address,
            &format!("x-ai-provider: {word}\r\nx-ai-model: {word}\r\n"),
            &message,
        );
        let call = |method: &str, params: serde_json::Value| {
            json!({"jsonrpc": "2.0", "id": n, "method": method, "params": params}).to_string()
        };
        add("POST", "/mcp", &address, "", &call("tools/call", json!({"name": word, "arguments": {}})));
        add(
            "POST",
            "/mcp",
            &address,
            "",
            &call("tools/call", json!({"name": "explain_finding", "arguments": {"code": word}})),
        );
        add("POST", "/mcp", &address, "", &call(&word, json!({})));
        add(
            "POST",
            "/mcp",
            &address,
            "",
            &call(
                "initialize",
                json!({"protocolVersion": word, "capabilities": {}, "clientInfo": {"name": word, "version": word}}),
            ),
        );
        add(
            "POST",
            "/api/v1/repair",
            &address,
            "",
            &json!({"code": format!("flowchart LR\n {word}[a(b)] --> {word}[[")}).to_string(),
        );
    }
    let message = json!({"message": format!("A customer places {round} orders.")}).to_string();
    add("POST", "/api/v1/generate/class-diagram", &address, "", &message);
    for route in ACCESS_BY_PATH.keys().filter(|route| route.starts_with('/')) {
        let path = route.replace(['{', '}', '*'], "");
        for method in ["GET", "POST", "TRACE", "BREW"] {
            // Streams are endless.
            if !path.ends_with("/events") {
                add(method, &path, &address, "", "");
            }
        }
    }
    for batch in requests.chunks(100) {
        let mut batch = batch.to_vec();
        batch.push(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"));
        let answers = send(server, &batch);
        assert!(answers.ends_with("\"status\":\"ok\"}") || answers.contains("HTTP/1.1 200"), "{answers}");
    }
}

/// Every time series of `/metrics`: the line without its value.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect()
}

/// Labels that are not in the table, or have a value that is not in its list.
fn unlisted_labels(all: &BTreeSet<String>) -> Vec<String> {
    let lists: BTreeMap<(&str, &str), BTreeSet<String>> = METRICS
        .iter()
        .flat_map(|metric| metric.labels.iter().map(move |(label, values)| (metric.name, *label, *values)))
        .map(|(name, label, values)| ((name, label), values_of(values).into_iter().collect()))
        .collect();
    let mut found = Vec::new();
    for line in all {
        let (name, labels) = line.split_once('{').unwrap_or((line, ""));
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let metric = METRICS.iter().find(|metric| match metric.kind {
            Kind::Histogram(_) => Some(metric.name) == part,
            _ => metric.name == name,
        });
        let Some(metric) = metric else {
            found.push(format!("{line}: no such metric"));
            continue;
        };
        for pair in labels.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.trim_end_matches('"').split_once("=\"").expect("a label");
            let bound = label == "le" && matches!(metric.kind, Kind::Histogram(_));
            let known = lists.get(&(metric.name, label)).is_some_and(|list| list.contains(value));
            if !bound && !known {
                found.push(line.clone());
            }
        }
    }
    found
}

#[test]
fn unknown_label_values_create_no_series() {
    let folder = TempDir::new().expect("a folder");
    let limits: Vec<(&str, &str)> = crate::app::NO_LIMITS.to_vec();
    let server = Server::start(folder.path(), &limits);
    let metrics = || server.request("GET", "/metrics", "").expect("metrics");
    hostile(&server, 1);
    let first = series(&metrics().1);
    assert_eq!(unlisted_labels(&first), Vec::<String>::new());
    for expected in [
        "ba_copilot_http_requests_total{route=\"/health\",method=\"other\",status=\"405\"}",
        "ba_copilot_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}",
    ] {
        assert!(first.contains(expected), "{expected} is not in\n{first:#?}");
    }
    // All series exist by now: other values add none.
    hostile(&server, 2);
    let (_, text) = metrics();
    let second = series(&text);
    assert_eq!(second.difference(&first).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    // The log contains none of the values.
    server.signal("-TERM");
    let (_, log) = server.wait();
    for word in ["M1X7", "w1x7", "LLLL", "invented"] {
        assert!(!log.contains(word), "{word} is in the log");
    }
}

#[test]
fn unlisted_label_values_are_detected() {
    for (line, found) in [
        ("ba_copilot_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}", 0),
        ("ba_copilot_http_requests_total{route=\"none\",method=\"BREW\",status=\"404\"}", 1),
        ("ba_copilot_http_requests_total{route=\"/invented\",method=\"GET\",status=\"404\"}", 1),
        ("ba_copilot_http_request_seconds_bucket{route=\"none\",le=\"0.1\"}", 0),
        ("ba_copilot_generations_total{kind=\"class\",provider=\"invented\",outcome=\"failed\"}", 1),
        ("ba_copilot_invented_total", 1),
    ] {
        assert_eq!(unlisted_labels(&BTreeSet::from([line.to_owned()])).len(), found, "{line}");
    }
    // This is the maximum number of series; 50,000 methods used 92 MB.
    assert!(most_series_of_all() < 100_000, "{}", most_series_of_all());
}
