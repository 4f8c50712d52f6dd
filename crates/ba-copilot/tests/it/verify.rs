//! `verify`, the checks after a deployment: against the real server, a server with injected faults, and no server.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
};
use operations::verify::list_checks;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    cli::{Ran, run_in},
    process::Server,
};

fn verify(url: &str, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    run_in(folder.path(), &[&["verify", "--url", url], more].concat(), b"", variables)
}

fn of_status(report: &Value, status: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks").iter();
    checks
        .filter(|check| check["status"] == status)
        .map(|check| check["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

#[test]
fn healthy_server_passes_also_after_a_restart() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let (address, url) = (server.address.clone(), format!("http://{}", server.address));
    let file = |name: &str| folder.path().join(name).display().to_string();
    // The command asks this test to restart the server, and waits until the restart has started.
    let (asked, begun, junit) = (file("asked"), file("begun"), file("report.xml"));
    let command = format!("touch '{asked}'; until test -e '{begun}'; do sleep 0.05; done");
    let running = thread::spawn({
        let (url, junit) = (url.clone(), junit.clone());
        move || verify(&url, &["--restart-command", &command, "--junit", &junit], &[])
    });
    while !Path::new(&asked).exists() {
        assert!(!running.is_finished(), "{}", running.join().map(|ran| ran.out + &ran.err).expect("an end"));
        thread::yield_now();
    }
    server.signal("-KILL");
    server.wait();
    let server = Server::start_with(&["--listen", &address], folder.path(), &[]);
    std::fs::write(&begun, "").expect("written");
    let ran = running.join().expect("an end");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let words = |word: &str| ran.out.lines().filter(|line| line.starts_with(word)).count();
    // There are no backups yet, which is reported.
    assert_eq!((words("passed "), words("skipped "), words("FAILED ")), (18, 1, 0), "{}", ran.out);
    assert!(ran.out.ends_with(&format!("18 passed, 0 failed, 1 skipped: {url}\n")), "{}", ran.out);
    let xml = std::fs::read_to_string(&junit).expect("a report");
    assert_eq!((xml.matches("<testcase ").count(), xml.matches("<skipped ").count()), (19, 1), "{xml}");
    // A second run writes to the same project.
    assert_eq!(verify(&url, &["--services", "web, api,ai,mcp,database,disk"], &[]).code, 0);
    let (_, projects) = server.request("GET", "/api/v1/projects", "").expect("projects");
    assert_eq!(projects.matches("Deployment checks").count(), 1, "{projects}");
    let (_, log) = {
        server.signal("-TERM");
        server.wait()
    };
    assert!(!log.contains("User class"), "{log}");
}

#[test]
fn verify_without_a_server_cannot_run() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for (url, expected) in [
        (format!("http://{port}"), "cannot be reached"),
        ("http://no-such-host.invalid".to_owned(), "cannot be reached"),
        ("127.0.0.1:8000".to_owned(), "is not an address"),
        ("ftp://127.0.0.1".to_owned(), "is not an address"),
    ] {
        let ran = verify(&url, &[], &[]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{url}: {}", ran.err);
        assert!(ran.err.contains(expected), "{url}: {}", ran.err);
    }
}

#[test]
fn verify_reports_checks_that_need_an_account() {
    let folder = TempDir::new().expect("a folder");
    let call = |arguments: &[&str]| {
        let data = folder.path().display().to_string();
        let ran = run_in(folder.path(), &[arguments, &["--data", &data]].concat(), b"", &[]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.trim().to_owned()
    };
    call(&["user", "add", "ada@example.com"]);
    let token = |scopes: &str| {
        call(&["token", "create", "--user", "ada@example.com", "--name", "verify", "--scope", scopes])
    };
    let (whole, part) = (token("read,write,generate,mcp"), token("read"));
    let server = Server::start(folder.path(), &[]);
    let url = format!("http://{}", server.address);
    let ask = |token: &str| {
        let ran = verify(&url, &["--json"], &[("VERIFY_TOKEN", token)]);
        let report = report(&ran);
        (ran, of_status(&report, "failed"), of_status(&report, "skipped"))
    };
    let (ran, failed, skipped) = ask("");
    assert_eq!((ran.code, failed), (0, Vec::new()), "{}", ran.out);
    let closed = ["generate", "metadata", "drawn", "accepts", "rejects", "mcp", "write", "restart", "backup"];
    assert_eq!(skipped, closed, "{}", ran.out);
    assert!(ran.err.contains("9 checks were skipped") && ran.out.contains("VERIFY_TOKEN"), "{}", ran.err);
    let (ran, failed, skipped) = ask(&whole);
    assert_eq!((ran.code, failed.len()), (0, 0), "{}", ran.out);
    assert_eq!(skipped, ["restart", "backup"], "{}", ran.out);
    assert!(!ran.out.contains(&whole), "the report contains the token");
    for wrong in ["bac_nobody-has-this-one", &part] {
        let (ran, failed, _) = ask(wrong);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert_eq!(failed, ["generate", "accepts", "rejects", "mcp", "write"], "{}", ran.out);
        assert!(ran.out.contains("scope"), "{}", ran.out);
    }
}

/// The change that a proxy makes to a response, by method and path of the request, its `Accept` header, and its body.
type Fault = fn(&str, &str, &str, &mut Reply);

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
    /// The response is delayed by this time.
    delay: Duration,
}

impl Reply {
    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_str(&self.body).unwrap_or_default();
        change(&mut json);
        self.body = json.to_string();
    }
}

/// A proxy in front of the real server that changes responses.
pub(crate) struct Stub {
    pub(crate) url: String,
    fault: Arc<Mutex<Fault>>,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Before {
    client: reqwest::Client,
    real: String,
    fault: Arc<Mutex<Fault>>,
}

impl Stub {
    fn before(real: &str, fault: Fault) -> Stub {
        let runtime = Runtime::new().expect("a runtime");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fault = Arc::new(Mutex::new(fault));
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let before =
            Before { client: client.expect("a client"), real: real.to_owned(), fault: Arc::clone(&fault) };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass_on).with_state(before);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Stub { url, fault, _runtime: runtime }
    }
}

async fn pass_on(
    State(before): State<Before>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> (axum::http::StatusCode, HeaderMap, String) {
    let accept = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default().to_owned();
    for hop in ["host", "content-length", "accept-encoding"] {
        headers.remove(hop);
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let url = format!("{}{uri}", before.real);
    let asked = before.client.request(method.clone(), url).headers(headers).body(body).send();
    let answer = asked.await.expect("an answer");
    let (status, mut headers) = (answer.status().as_u16(), answer.headers().clone());
    for hop in ["content-length", "transfer-encoding", "connection"] {
        headers.remove(hop);
    }
    let body = answer.text().await.expect("a body");
    let mut reply = Reply { status, headers, body, delay: Duration::ZERO };
    let fault = *before.fault.lock().expect("the fault");
    fault(&format!("{method} {}", uri.path()), &accept, &text, &mut reply);
    tokio::time::sleep(reply.delay).await;
    (axum::http::StatusCode::from_u16(reply.status).expect("a status"), reply.headers, reply.body)
}

fn unchanged(_: &str, _: &str, _: &str, _: &mut Reply) {}

/// The check that must fail, additional arguments, and the injected fault.
fn faults() -> Vec<(&'static str, &'static [&'static str], Fault)> {
    const BAD: &str = "--> ]]";
    vec![
        ("root", &[], |path, accept, _, reply| {
            if path == "GET /" && accept == "application/json" {
                reply.body = json!({"service": "nginx", "status": "running"}).to_string();
            }
        }),
        ("live", &[], |path, _, _, reply| {
            if path == "GET /readyz" {
                reply.status = 503;
            }
        }),
        ("health", &[], |path, _, _, reply| {
            if path == "GET /health" {
                reply.status = 503;
            }
        }),
        ("health", &[], |path, _, _, reply| {
            if path == "GET /health" {
                reply.change(|health| health["status"] = json!("fine"));
            }
        }),
        ("health_time", &[], |path, _, _, reply| {
            if path == "GET /health" {
                reply.delay = Duration::from_millis(1100);
            }
        }),
        ("mcp_server", &["--services", "web,api"], |path, _, _, reply| {
            if path == "GET /health" {
                reply.change(|health| health["checks"]["mcp_server"] = json!({}));
            }
        }),
        ("services", &[], |path, _, _, reply| {
            if path == "GET /health" {
                reply.change(|health| {
                    health["status"] = json!("degraded");
                    health["checks"]["mcp_server"]["status"] = json!("degraded");
                });
            }
        }),
        ("services", &["--services", "api,redis"], unchanged),
        ("services", &["--services", "mcp=http://127.0.0.1:1"], unchanged),
        ("metrics", &[], |path, _, _, reply| {
            if path == "GET /metrics" {
                reply.body = "<html>".to_owned();
            }
        }),
        ("headers", &[], |path, _, _, reply| {
            if path == "GET /" {
                reply.headers.remove("x-frame-options");
                reply.headers.remove("content-security-policy");
            }
        }),
        ("docs", &[], |path, _, _, reply| {
            if path.starts_with("GET /docs") {
                (reply.status, reply.body) = (200, "<html>Redoc</html>".to_owned());
            }
        }),
        ("openapi", &[], |path, _, _, reply| {
            if path == "GET /openapi.json" {
                reply.change(|document| document["openapi"] = json!("3.0.3"));
            }
        }),
        ("generate", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                reply.change(|answer| answer["type"] = json!("text"));
            }
        }),
        ("generate", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                reply.change(|answer| answer["response"]["detail"] = json!("classDiagram"));
            }
        }),
        ("generate", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                (reply.status, reply.body) = (502, String::new());
            }
        }),
        ("metadata", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                reply.change(|answer| answer["response"]["metadata"]["validated"] = Value::Null);
            }
        }),
        ("metadata", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                reply.change(|answer| answer["response"]["metadata"]["retry_count"] = json!("0"));
            }
        }),
        ("drawn", &[], |path, _, _, reply| {
            if path.starts_with("POST /api/v1/generate/") {
                let detail = "```mermaid\nclassDiagram\n  class {{{\n```";
                reply.change(|answer| answer["response"]["detail"] = json!(detail));
            }
        }),
        ("accepts", &[], |path, _, body, reply| {
            if path == "POST /api/v1/validate" && body.contains("sequenceDiagram") {
                reply.change(|verdict| verdict["valid"] = json!(false));
            }
        }),
        ("rejects", &[], |path, _, body, reply| {
            if path == "POST /api/v1/validate" && body.contains(BAD) {
                reply.change(|verdict| verdict["valid"] = json!(true));
            }
        }),
        ("mcp", &[], |path, _, body, reply| {
            if path == "POST /mcp" && body.contains("tools/list") {
                reply.change(|answer| answer["result"]["tools"] = json!([]));
            }
        }),
        ("mcp", &[], |path, _, body, reply| {
            if path == "POST /mcp" && body.contains(BAD) {
                reply.change(|answer| answer["result"]["structuredContent"]["valid"] = json!(true));
            }
        }),
        ("write", &[], |path, _, _, reply| {
            if path.starts_with("GET /api/v1/diagrams/") {
                reply.status = 404;
            }
        }),
        ("write", &[], |path, _, _, reply| {
            if path.starts_with("GET /api/v1/diagrams/") {
                reply.change(|version| version["code"] = json!("flowchart LR"));
            }
        }),
        ("restart", &["--restart-command", "exit 3"], unchanged),
        ("restart", &["--restart-command", "true", "--restart-within", "0s"], |path, _, _, reply| {
            // The first request belongs to the liveness check.
            static ASKED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            if path == "GET /readyz" && ASKED.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 {
                reply.status = 503;
            }
        }),
        ("backup", &[], |path, _, _, reply| {
            if path == "GET /metrics" {
                reply.body.push_str("ba_copilot_backup_last_verified_timestamp_seconds 1000000000\n");
            }
        }),
        ("backup", &["--expect-backup-within", "26h"], unchanged),
    ]
}

#[test]
fn each_fault_fails_exactly_its_check() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let stub = Stub::before(&format!("http://{}", server.address), unchanged);
    let honest = verify(&stub.url, &[], &[]);
    assert_eq!(honest.code, 0, "{}{}", honest.out, honest.err);
    let mut caught = BTreeSet::new();
    for (expected, more, fault) in faults() {
        *stub.fault.lock().expect("the fault") = fault;
        let ran = verify(&stub.url, &[more, &["--json"]].concat(), &[]);
        let report = report(&ran);
        assert_eq!((ran.code, of_status(&report, "failed")), (1, vec![expected.to_owned()]), "{}", ran.out);
        let check = report["checks"]
            .as_array()
            .and_then(|checks| checks.iter().find(|check| check["id"] == expected));
        assert!(
            check.is_some_and(|check| check["cure"].as_str().is_some_and(|cure| cure.len() > 20)),
            "{}",
            ran.out
        );
        caught.insert(expected);
    }
    let all: BTreeSet<&str> = list_checks().map(|(id, _)| id).collect();
    assert_eq!(caught, all, "a check without a fault");
    // A current date, by the clock of this machine.
    *stub.fault.lock().expect("the fault") = |path, _, _, reply| {
        if path == "GET /metrics" {
            reply.body.push_str("ba_copilot_backup_last_verified_timestamp_seconds 32503680000\n");
        }
    };
    let fresh = verify(&stub.url, &["--expect-backup-within", "1h"], &[]);
    assert!(
        fresh.code == 0 && fresh.out.contains("passed  There is a recent, verified backup"),
        "{}",
        fresh.out
    );
    // Output of a server cannot move the cursor of the terminal.
    *stub.fault.lock().expect("the fault") = |path, accept, _, reply| {
        if path == "GET /" && accept == "application/json" {
            reply.change(|root| root["version"] = json!("1\u{1b}[2J\n"));
        }
    };
    let odd = verify(&stub.url, &[], &[]);
    assert!(odd.code == 0 && !odd.out.contains('\u{1b}'), "{}", odd.out);
}

#[test]
fn monitor_exits_with_an_error_for_an_unhealthy_server() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let stub = Stub::before(&format!("http://{}", server.address), |path, _, _, reply| {
        if path == "GET /health" {
            reply.status = 503;
            reply.change(|health| health["status"] = json!("unhealthy"));
        }
    });
    let ran = run_in(folder.path(), &["monitor", "--interval", "1", "--url", &stub.url], b"", &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with(&format!("{}  unhealthy", stub.url)), "{}", ran.out);
}
