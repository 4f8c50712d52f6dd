//! A full disk, and a clock that jumps.
//!
//! Runs on SQLite only: a full disk is a fault of a file.

use std::{fs, path::Path, process::Command, sync::atomic::Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::skip;

use crate::{
    app::{NO_LIMITS, TestApp, eventually},
    process::Server,
    users::{PASSWORD, set_up},
};

const DAY_S: u64 = 24 * 3600;

/// A small disk, unmounted on drop.
pub(crate) struct SmallDisk(pub(crate) TempDir);

impl SmallDisk {
    /// `None`, counted as skipped, where no file system can be mounted.
    pub(crate) fn new(size: &str) -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder));
        }
        skip("no tmpfs can be mounted: this needs root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn post(server: &Server, title: &str) -> (u16, Value) {
    let code = format!("flowchart LR\n{}", "  a --> b\n".repeat(300));
    let body = json!({"title": title, "code": code}).to_string();
    let (status, body) =
        server.request("POST", "/api/v1/projects/default/diagrams", &body).expect("an answer");
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// Fills a disk to its last block.
pub(crate) fn fill(folder: &Path) {
    let mut size = 1 << 20;
    let mut number = 0;
    while size >= 512 {
        number += 1;
        let file = folder.join(format!("filler-{number}"));
        if fs::write(&file, vec![7_u8; size]).is_err() {
            size /= 2;
        }
    }
}

#[test]
fn full_disk_is_reported_and_loses_nothing() {
    let Some(disk) = SmallDisk::new("24m") else { return };
    let data = disk.0.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let server = Server::start(&data, &[]);
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let (status, made) = post(&server, &format!("before {number}"));
        assert_eq!(status, 201, "{made}");
        acknowledged.push(made["id"].as_str().expect("an id").to_owned());
    }
    fill(disk.0.path());
    let mut refused = 0;
    for number in 0..400 {
        let (status, made) = post(&server, &format!("while full {number}"));
        if status == 201 {
            // The file had free space from before.
            acknowledged.push(made["id"].as_str().expect("an id").to_owned());
            continue;
        }
        assert_eq!((status, &made["code"]), (503, &json!("unavailable")), "{made}");
        assert!(made["detail"].as_str().is_some_and(|detail| detail.contains("disk is full")), "{made}");
        refused += 1;
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    // Existing data can be read, and `/health` reports the fault.
    let path = format!("/api/v1/diagrams/{}", acknowledged[0]);
    assert_eq!(server.request("GET", &path, "").expect("an answer").0, 200);
    assert_eq!(server.request("GET", "/livez", "").expect("an answer").0, 200);
    for entry in fs::read_dir(disk.0.path()).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            fs::remove_file(entry.path()).expect("gone");
        }
    }
    let (status, made) = post(&server, "after");
    assert_eq!(status, 201, "with free space, writes succeed again: {made}");
    acknowledged.push(made["id"].as_str().expect("an id").to_owned());
    server.signal("-KILL");
    server.wait();
    let server = Server::start(&data, &[]);
    for id in &acknowledged {
        let (status, body) = server.request("GET", &format!("/api/v1/diagrams/{id}"), "").expect("an answer");
        assert_eq!(status, 200, "{id}: {body}");
    }
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
}

#[tokio::test]
async fn clock_jump_locks_no_user_out_and_stops_nothing() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let _work = app.work();
    let mut ada = set_up(&app).await;
    let token = ada.token(&app, &["read", "write", "generate"]).await;
    let asks = async |what: &str| {
        let request = axum::http::Request::post("/api/v1/generate/class-diagram")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("prefer", "respond-async")
            .header("idempotency-key", what.replace(' ', "-"))
            .body(json!({"message": "A customer places orders."}).to_string().into());
        let asked = app.send(request.expect("a request")).await;
        assert_eq!(asked.status, 202, "{what}: {}", asked.text());
        let path = format!("/api/v1/jobs/{}", asked.json()["id"].as_str().expect("an id"));
        eventually(what, async || {
            let request = axum::http::Request::get(&path).header("authorization", format!("Bearer {token}"));
            let job = app.send(request.body("".into()).expect("a request")).await.json();
            Some(()).filter(|()| job["status"] == "done")
        })
        .await;
    };
    asks("before").await;
    for (what, seconds) in
        [("a day ahead", DAY_S as i64), ("back again", -(DAY_S as i64)), ("a day behind", -(DAY_S as i64))]
    {
        // Wrapping addition of a negative number.
        app.clock_s.fetch_add(seconds as u64, Ordering::SeqCst);
        asks(what).await;
        assert_eq!(ada.sign_in(&app, "ada@example.com", PASSWORD).await.status, 200, "{what}");
        assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200, "{what}");
        assert_eq!(ada.get(&app, "/health").await.status, 200, "{what}");
    }
}
