//! Error reports reach Sentry with the context for an investigation and without user content; no request waits for
//! them.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use config::{Config, Environment};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use telemetry::{
    self,
    error_reports::{ErrorReports, MESSAGES},
};
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt;

use crate::{acknowledged_writes::wait_for, collector::Collector, metrics::root, process::Server};

/// The events in the received envelopes: lines of JSON, one header, then a header and a body for each item.
fn events(collector: &Collector) -> Vec<Value> {
    let mut events = Vec::new();
    for came in collector.received() {
        assert!(came.head.starts_with("post /api/42/envelope/ "), "{}", came.head);
        assert!(came.head.contains("sentry_key=publickey"), "{}", came.head);
        let text = String::from_utf8(came.body).expect("text");
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        assert!(lines.next().is_some_and(|envelope| envelope.is_object()), "{text}");
        while let (Some(item), Some(body)) = (lines.next(), lines.next()) {
            if item["type"] == "event" {
                events.push(body);
            }
        }
    }
    events
}

fn dsn(address: &str) -> String {
    format!("http://publickey@{address}/42")
}

/// Makes the row of the project unreadable for the program, directly in the database.
fn damage(data: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("ba-copilot.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
        sqlx::raw_sql("update projects set created_at = 'canary@example.com' where id = 'default'")
            .execute(&mut connection)
            .await
            .expect("damaged");
        connection.close().await.expect("closed");
    });
}

#[test]
fn internal_error_is_reported_without_user_content() {
    let folder = TempDir::new().expect("a folder");
    let sentry = Collector::start("200 OK");
    let dsn = dsn(&sentry.address);
    let variables = [("SENTRY_DSN", dsn.as_str()), ("ENV", "test"), ("BA_COPILOT_RELEASE", "1.2.3-abc")];
    let server = Server::start(folder.path(), &variables);
    let path = "/api/v1/projects/default?canary-query=1";
    let (status, body) = server.request("GET", path, "").expect("an answer");
    assert_eq!(status, 200, "{body}");
    // Client errors are not reported.
    server.request("GET", "/api/v1/projects/canary", "").expect("an answer");
    assert!(events(&sentry).is_empty());
    damage(folder.path());
    let (status, body) = server.request("GET", path, r#"{"canarybody": 1}"#).expect("an answer");
    let problem: Value = serde_json::from_str(&body).expect("a problem");
    assert_eq!((status, &problem["code"]), (500, &json!("internal")), "{problem}");
    server.signal("-TERM");
    let (_, log) = server.wait();

    let events = events(&sentry);
    let [event] = events.as_slice() else { panic!("{} events, and one error:\n{log}", events.len()) };
    let line = log
        .lines()
        .find(|line| line.contains("A request failed with an internal error"))
        .expect("a line of the log");
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(event["message"], "A request failed with an internal error", "{event:#}");
    assert_eq!(
        (&event["release"], &event["environment"], &event["logger"]),
        (&json!("ba-copilot@1.2.3-abc"), &json!("test"), &json!("server::http::error")),
        "{event:#}"
    );
    assert!(event["culprit"].as_str().is_some_and(|place| place.contains("http/error.rs:")), "{event:#}");
    assert_eq!(
        event["tags"],
        json!({
            "error.code": "internal",
            "request_id": problem["request_id"],
            "trace_id": line["span"]["trace.id"],
            "http.method": "GET",
            "http.route": "/api/v1/projects/{project}",
        }),
        "{event:#}"
    );
    let known = BTreeSet::from([
        "culprit",
        "environment",
        "event_id",
        "fingerprint",
        "level",
        "logger",
        "message",
        "platform",
        "release",
        "sdk",
        "tags",
        "timestamp",
    ]);
    let fields: BTreeSet<&str> = event.as_object().expect("an object").keys().map(String::as_str).collect();
    assert!(fields.is_subset(&known), "{:?} is reported, too", fields.difference(&known));
    let text = sentry
        .received()
        .iter()
        .map(|it| format!("{}{}", it.head, String::from_utf8_lossy(&it.body)))
        .collect::<String>();
    for canary in ["canary", "example.com", "created_at"] {
        assert!(!text.to_lowercase().contains(canary), "{canary} was reported:\n{text}");
    }
}

#[test]
fn panic_is_reported_with_its_location_without_its_message() {
    let sentry = Collector::start("200 OK");
    let environment = Environment::from_pairs([("SENTRY_DSN", dsn(&sentry.address).as_str())]);
    let config = Config::load(None, &environment).expect("a configuration");
    let reports = ErrorReports::from_config(&config).expect("a client").expect("a Sentry transport");
    let before = std::panic::take_hook();
    telemetry::log_panics();
    let subscriber = tracing_subscriber::registry().with(telemetry::error_report_layer(reports.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!(
            target: "ba_copilot",
            "request",
            request.id = "request-77",
            canary.field = "canary"
        );
        let panicked = span.in_scope(|| std::panic::catch_unwind(|| panic!("canary: {}", "user content")));
        assert!(panicked.is_err());
        // A library that fails is named, and its message is not included.
        tracing::error!(target: "some_library", "canary");
    });
    std::panic::set_hook(before);
    reports.shutdown(std::time::Duration::from_secs(30));
    let events = events(&sentry);
    let [panic, library] = events.as_slice() else { panic!("{events:#?}") };
    let place = panic["tags"]["panic.location"].as_str().expect("a place");
    assert!(place.contains("tests/it/error_reports.rs:"), "{place}");
    assert_eq!(panic["tags"]["request_id"], "request-77");
    assert_eq!(panic["exception"]["values"][0]["type"], "panic", "{panic:#}");
    assert_eq!(panic["exception"]["values"][0]["mechanism"]["handled"], false, "{panic:#}");
    assert_eq!(library["message"], "An error in some_library", "{library:#}");
    assert!(!json!(events).to_string().contains("canary"), "{events:#?}");
}

#[test]
fn unavailable_sentry_delays_no_request_and_is_not_retried() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let hangs = TcpListener::bind("127.0.0.1:0").expect("a port");
    let enough = Collector::start("429 Too Many Requests\r\nretry-after: 3600");
    for address in
        [closed.to_string(), hangs.local_addr().expect("an address").to_string(), enough.address.clone()]
    {
        let folder = TempDir::new().expect("a folder");
        let server = Server::start(folder.path(), &[("SENTRY_DSN", &dsn(&address))]);
        assert_eq!(server.request("GET", "/api/v1/projects/default", "").expect("an answer").0, 200);
        damage(folder.path());
        for _ in 0..100 {
            assert_eq!(server.request("GET", "/api/v1/projects/default", "").expect("an answer").0, 500);
            if address == enough.address {
                wait_for("the first error", || !enough.received().is_empty());
            }
        }
        assert_eq!(server.request("GET", "/livez", "").expect("an answer").0, 200);
        server.signal("-TERM");
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert_eq!(log.matches("A request failed with an internal error").count(), 100);
    }
    assert_eq!(enough.received().len(), 1, "a report was sent before the end of `Retry-After`");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => (),
        }
    }
}

/// The message of each call of the macro: the first string that is not the value of a field.
fn messages(text: &str) -> Vec<String> {
    text.split("tracing::error!(")
        .skip(1)
        .filter_map(|call| {
            let texts: Vec<&str> = call.split('"').skip(1).step_by(2).take(3).collect();
            texts.into_iter().find(|text| text.contains(' ')).map(str::to_owned)
        })
        .collect()
}

#[test]
fn every_logged_error_message_is_listed_as_reportable() {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates").flatten() {
        sources(&entry.path().join("src"), &mut files);
    }
    let mut used = BTreeSet::new();
    for file in files {
        for message in messages(&fs::read_to_string(&file).expect("text")) {
            let known = MESSAGES.into_iter().find(|known| message.starts_with(known));
            used.insert(
                known.unwrap_or_else(|| {
                    panic!("{}: \"{message}\" is not in error_reports.rs", file.display())
                }),
            );
        }
    }
    assert_eq!(used, BTreeSet::from(MESSAGES), "error_reports.rs lists messages that are not used");
}

#[test]
fn reportable_messages_are_detected() {
    let found = messages(
        "tracing::error!(error.code = \"x\", \"It failed: {why}\"); tracing::error!(\n\"Again {it}\")",
    );
    assert_eq!(found, ["It failed: {why}", "Again {it}"]);
}
