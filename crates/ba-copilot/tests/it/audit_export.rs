//! Audit events as a file: all of them, in both formats, and visibly incomplete if the export is interrupted.
//!
//! Runs on both databases.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{
    app::TestApp,
    process::Server,
    users::{add, id_of, set_up},
};

const EXPORT: &str = "/api/v1/audit-events/export";

/// More events than fit on one page of the store.
async fn fill(app: &TestApp) {
    for n in 0..450 {
        let body = json!({"name": format!("=cmd|{n}")});
        assert_eq!(app.post("/api/v1/projects", body).await.status, 201);
        app.wait_s(1);
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[tokio::test]
async fn audit_log_is_exported_as_csv_and_jsonl() {
    let app = TestApp::builtin().await;
    fill(&app).await;
    let reply = app.get(EXPORT).await;
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    assert_eq!(
        reply.headers["content-disposition"],
        "attachment; filename=\"audit-events-server-2027-01-15.jsonl\""
    );
    let events = lines(reply.text());
    assert_eq!(events.len(), 451);
    // The export itself is the newest event, and the rest are as in the list.
    assert_eq!((&events[0]["action"], &events[0]["subject"]), (&json!("audit.export"), &json!("server")));
    assert_eq!(events[0]["details"], json!({"format": "jsonl"}));
    let listed = app.get("/api/v1/audit-events?limit=200").await.json();
    assert_eq!(listed["items"].as_array().expect("events")[..], events[..200]);

    let reply = app.get(&format!("{EXPORT}?format=csv&action=project.")).await;
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert!(reply.text().starts_with("id,at,user_id,token_id,action,project_id,subject,details\r\n"));
    assert!(!reply.text().replace("\r\n", "").contains(['\n', '\r']));
    let mut table = csv::Reader::from_reader(reply.bytes.as_slice());
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 450);
    for (row, event) in rows.iter().zip(events.iter().skip(1)) {
        assert_eq!((row.get(0), row.get(1)), (event["id"].as_str(), event["at"].as_str()));
        assert_eq!((row.get(4), row.get(7)), (Some("project.create"), Some("{}")));
    }
    let narrow = app.get(&format!("{EXPORT}?from=2027-01-15T08:00:10Z&to=2027-01-15T08:00:12Z")).await;
    assert_eq!(lines(narrow.text()).len(), 2);
    // Rare events are found on every page, and an export without rows still has column names.
    assert_eq!(lines(app.get(&format!("{EXPORT}?action=audit.export")).await.text()).len(), 4);
    let none = app.get(&format!("{EXPORT}?format=csv&action=no.such")).await;
    assert_eq!(none.text().lines().count(), 1);

    let id = events[1]["subject"].as_str().expect("an id");
    let reply = app.get(&format!("/api/v1/projects/{id}/audit-events/export")).await;
    let name = format!("attachment; filename=\"audit-events-{id}-2027-01-15.jsonl\"");
    assert_eq!(reply.headers["content-disposition"], name.as_str());
    let actions: Vec<Value> = lines(reply.text()).iter().map(|it| it["action"].clone()).collect();
    assert_eq!(actions, ["audit.export", "project.create"]);
}

#[tokio::test]
async fn export_contains_only_permitted_events() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let project = grace.send(&app, "POST", "/api/v1/projects", json!({"name": "Shop"})).await.json();
    let path = format!("/api/v1/projects/{}/audit-events/export", project["id"].as_str().expect("an id"));
    let user = id_of(&app, &mut grace).await;
    let mine = grace.get(&app, &format!("{path}?user={user}")).await;
    assert_eq!(lines(mine.text()).len(), 2, "{}", mine.text());
    grace.get(&app, EXPORT).await.problem(403, "forbidden");
    ada.get(&app, &path).await.problem(404, "not_found");
    let all = ada.get(&app, &format!("{EXPORT}?action=audit.export")).await;
    let users: Vec<Value> = lines(all.text()).iter().map(|it| it["user_id"].clone()).collect();
    assert_eq!(users, [json!(id_of(&app, &mut ada).await), json!(user)]);
}

/// An event that the program never writes, older than all others: its details are not text.
async fn spoil(file: &str) {
    let mut raw = SqliteConnection::connect(&format!("sqlite:{file}")).await.expect("the database");
    sqlx::query(
        "insert into audit_events (id, at, action, subject, details) values ('aud_bad', 1, 'x', 'x', x'ff')",
    )
    .execute(&mut raw)
    .await
    .expect("written");
    raw.close().await.expect("closed");
}

#[tokio::test]
async fn interrupted_export_is_not_complete() {
    let (folder, gone) = (TempDir::new().expect("a folder"), "HTTP/1.1 200 OK");
    let server = Server::start(folder.path(), &[]);
    for n in 0..250 {
        let (status, body) = server
            .request("POST", "/api/v1/projects", &json!({"name": format!("P{n}")}).to_string())
            .expect("an answer");
        assert_eq!(status, 201, "{body}");
    }
    let ask = |encoding: &str| {
        let mut stream = TcpStream::connect(&server.address).expect("the server");
        let head = format!(
            "GET {EXPORT} HTTP/1.1\r\nhost: {}\r\n{encoding}connection: close\r\n\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        // A broken connection can appear as an error or as an end, depending on the system.
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    let whole = ask("");
    assert!(
        whole.starts_with(gone.as_bytes()) && whole.ends_with(b"0\r\n\r\n"),
        "{}",
        String::from_utf8_lossy(&whole)
    );
    let files = std::fs::read_dir(folder.path()).expect("the data").flatten().map(|file| file.path());
    let database =
        files.into_iter().find(|file| file.extension().is_some_and(|kind| kind == "db")).expect("a database");
    spoil(&database.display().to_string()).await;
    for encoding in ["", "accept-encoding: gzip\r\n"] {
        let broken = ask(encoding);
        assert!(
            broken.starts_with(gone.as_bytes()),
            "the export had started: {}",
            String::from_utf8_lossy(&broken)
        );
        assert!(!broken.ends_with(b"0\r\n\r\n"), "{encoding}");
    }
    server.signal("-TERM");
    let (_, log) = server.wait();
    assert!(log.contains("An export of audit events was aborted"), "{log}");
}

#[tokio::test]
async fn lost_database_interrupts_the_export() {
    let app = TestApp::builtin().await;
    fill(&app).await;
    let request = Request::get(EXPORT).body(Body::empty()).expect("a request");
    let mut body = app.open(request).await.into_body();
    let first =
        http_body_util::BodyExt::frame(&mut body).await.expect("a chunk").expect("a chunk of the file");
    assert_eq!(lines(std::str::from_utf8(first.data_ref().expect("bytes")).expect("text")).len(), 200);
    app.app.store.as_ref().expect("a store").close().await;
    assert!(http_body_util::BodyExt::collect(body).await.is_err());
}
