//! Several processes with one Redis: limits and verdicts are shared while it is available. An outage (killed, stopped,
//! unresponsive, forged content) has no other effect.
//!
//! Runs on SQLite only: limits and verdicts are not in the database.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{body::Body, http::Request};
use config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::skip;

use crate::{
    app::{Reply, TestApp, eventually},
    users::set_up,
};

const KEY: &str = "a secret of thirty-two characters or more";
const PROGRAM: &str = "redis-server";

/// A Redis server for one test, without persistence. The process is ended by its own id.
pub(crate) struct Redis {
    server: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// Starts a server; `None`, counted as a skip, where Redis is not installed.
    pub(crate) fn start() -> Option<Redis> {
        if !Command::new(PROGRAM).arg("--version").output().is_ok_and(|output| output.status.success()) {
            skip(format!("{PROGRAM} is not installed"));
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        // The port was free a moment ago. If another process takes it, the start fails and another port is tried.
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            drop(listener);
            let server = spawn(port, &folder);
            let mut redis = Redis { server, port, folder: TempDir::new().expect("a folder") };
            if redis.answers() {
                redis.folder = folder;
                return Some(redis);
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Restarts the server on the same port, without data.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        self.server = spawn(self.port, &self.folder);
        assert!(self.answers(), "the port is in use");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.server.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    /// Whether the server answers; `false` if it has exited.
    fn answers(&mut self) -> bool {
        loop {
            if self.server.try_wait().expect("a state").is_some() {
                return false;
            }
            // Another server on this port would have another process id.
            let id = format!("process_id:{}\r\n", self.server.id());
            let client = redis::Client::open(self.url()).expect("a client");
            let mine = client
                .get_connection()
                .and_then(|mut connection| redis::cmd("INFO").arg("server").query::<String>(&mut connection))
                .is_ok_and(|info| info.contains(&id));
            if mine {
                return true;
            }
            std::thread::yield_now();
        }
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&[u8]]) -> T {
        let client = redis::Client::open(self.url()).expect("a client");
        let mut connection = client.get_connection().expect("a connection");
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.query(&mut connection).expect("an answer")
    }

    fn names(&self, pattern: &str) -> Vec<String> {
        let mut names: Vec<String> = self.ask(&[b"KEYS", pattern.as_bytes()]);
        names.sort();
        names
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    Command::new(PROGRAM)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts")
}

async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually(what, async || holds().await.then_some(())).await;
}

/// Limits that no test reaches; each test lowers the limit that it is about.
fn unlimited(config: &mut Config, url: &str) {
    config.redis.url = url.into();
    // Tests run in parallel on few processors; delays by that are not under test.
    config.redis.timeout_ms = 1000;
    config.secrets.secret_key = KEY.into();
    config.server.proxies = 1;
    config.limits.requests_per_minute = 1_000_000;
    config.limits.token_requests_per_minute = 1_000_000;
    config.limits.address_requests_per_minute = 1_000_000;
}

/// Two processes on one database, with one Redis.
async fn pair(home: &TestApp, url: &str, differ: impl Fn(&mut Config)) -> [Arc<TestApp>; 2] {
    let start = || async {
        Arc::new(
            home.another(|config| {
                unlimited(config, url);
                differ(config);
            })
            .await,
        )
    };
    [start().await, start().await]
}

/// Requests the own account with a token from an address.
async fn call(app: &TestApp, token: &str, address: &str) -> Reply {
    let request = Request::get("/api/v1/me")
        .header("authorization", format!("Bearer {token}"))
        .header("x-forwarded-for", address);
    app.send(request.body(Body::empty()).expect("a request")).await
}

/// A server and two tokens of one user.
async fn home_with_tokens() -> (TestApp, [String; 2]) {
    let home = TestApp::start(None, &[("SECRET_KEY", KEY)]).await;
    let mut ada = set_up(&home).await;
    let tokens = [ada.token(&home, &["account"]).await, ada.token(&home, &["account"]).await];
    (home, tokens)
}

/// The number of allowed requests, sent one at a time. A status other than 200 and 429 is an error.
async fn allowed(calls: &[(&TestApp, &str, &str)]) -> u32 {
    let mut allowed = 0;
    for (app, token, address) in calls {
        let reply = call(app, token, address).await;
        match reply.status.as_u16() {
            200 => allowed += 1,
            _ => {
                let wait = reply.headers["retry-after"].to_str().expect("text").parse::<u64>();
                assert!(wait.is_ok_and(|seconds| (1..=60).contains(&seconds)));
                reply.problem(429, "too_many");
            }
        }
    }
    allowed
}

/// Checks the number of allowed requests: the limit plus the requests that were refilled since the start.
fn assert_limit(what: &str, found: u32, limit: u32, begun: Instant) {
    let back = begun.elapsed().as_secs_f64() * f64::from(limit) / 60.0;
    assert!(found >= limit && f64::from(found) <= f64::from(limit) + back, "{what}: {found}, limit {limit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_limits_of_token_user_and_address() {
    let Some(redis) = Redis::start() else { return };
    let (home, [one, two]) = home_with_tokens().await;
    let (here, there) = ("192.0.2.1", "192.0.2.2");
    type Lower = fn(&mut Config);
    // The lowered limit, two requests that share it, and a request that it does not apply to.
    let table: [(&str, Lower, [(&str, &str); 2], (&str, &str)); 3] = [
        (
            "token",
            |config| config.limits.token_requests_per_minute = 5,
            [(&one, here), (&one, there)],
            (&two, here),
        ),
        (
            "user",
            |config| config.limits.requests_per_minute = 5,
            [(&one, here), (&two, there)],
            ("a stranger's", here),
        ),
        (
            "address",
            |config| config.limits.address_requests_per_minute = 5,
            [(&one, here), (&two, here)],
            (&one, there),
        ),
    ];
    for (what, lower, [first, second], free) in table {
        let [a, b] = pair(&home, &redis.url(), lower).await;
        let begun = Instant::now();
        let calls: Vec<_> =
            (0..8).flat_map(|_| [(&*a, first.0, first.1), (&*b, second.0, second.1)]).collect();
        assert_limit(what, allowed(&calls).await, 5, begun);
        let reply = call(&b, free.0, free.1).await;
        assert!(reply.status != 429, "{what}: {}", reply.text());
    }
    for name in redis.names("*") {
        assert!(name.starts_with("ba-copilot:"), "{name}");
        assert!(!name.contains("192.0") && !name.contains("tok_") && !name.contains("usr_"), "{name}");
        let left_ms: i64 = redis.ask(&[b"PTTL", name.as_bytes()]);
        assert!((0..=61_000).contains(&left_ms) || left_ms == -2, "{name} stays for {left_ms} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_holds_for_concurrent_requests() {
    let Some(redis) = Redis::start() else { return };
    let (home, [token, _]) = home_with_tokens().await;
    let apps = pair(&home, &redis.url(), |config| config.limits.token_requests_per_minute = 50).await;
    let begun = Instant::now();
    let calls: Vec<_> = (0..300)
        .map(|number| {
            let (app, token) = (Arc::clone(&apps[number % 2]), token.clone());
            tokio::spawn(async move { call(&app, &token, "192.0.2.1").await.status.as_u16() })
        })
        .collect();
    let mut found = 0;
    for call in calls {
        match call.await.expect("an answer") {
            200 => found += 1,
            status => assert_eq!(status, 429),
        }
    }
    assert_limit("all at once", found, 50, begun);
}

async fn has_status(app: &TestApp, status: &str) -> bool {
    let reply = app.get("/health").await;
    assert_eq!(reply.status, 200, "degraded is not a failure");
    reply.json()["status"] == status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_process_counts_alone() {
    let Some(mut redis) = Redis::start() else { return };
    let (home, [token, other]) = home_with_tokens().await;
    let [a, b] = pair(&home, &redis.url(), |config| config.limits.token_requests_per_minute = 6).await;
    let health = a.get("/health").await.json();
    let check = &health["checks"]["redis"];
    assert_eq!((&health["status"], &check["status"]), (&json!("healthy"), &json!("healthy")), "{health}");
    assert!(check["latency_ms"].is_number(), "{check}");
    assert_eq!(home.get("/health").await.json()["checks"].get("redis"), None, "only where it is configured");

    let address = "192.0.2.1";
    let begun = Instant::now();
    assert_eq!(allowed(&[(&a, &token, address), (&a, &token, address), (&b, &token, address)]).await, 3);
    redis.kill();
    // Each process continues with its own count: the limit of one process is not reset.
    assert_limit("process a", 2 + allowed(&[(&*a, token.as_str(), address); 10]).await, 6, begun);
    assert_limit("process b", 1 + allowed(&[(&*b, token.as_str(), address); 10]).await, 6, begun);
    for app in [&a, &b] {
        wait_for("degraded", || has_status(app, "degraded")).await;
        let check = app.get("/health").await.json()["checks"]["redis"].clone();
        assert_eq!(check["status"], "degraded");
        assert!(check["error"].as_str().is_some_and(|why| why.contains("cannot be reached")), "{check}");
    }

    redis.start_again();
    for app in [&a, &b] {
        wait_for("healthy again", || has_status(app, "healthy")).await;
    }
    let begun = Instant::now();
    let calls: Vec<_> = (0..10).flat_map(|_| [(&*a, &*other, address), (&*b, &*other, address)]).collect();
    assert_limit("shared again", allowed(&calls).await, 6, begun);
}

/// A proxy in front of Redis that can stop answering: it then accepts all input and counts the requests.
struct SilentProxy {
    address: String,
    silent: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl SilentProxy {
    fn before(port: u16) -> SilentProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (silent, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (is_silent, count) = (Arc::clone(&silent), Arc::clone(&asked));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (is_silent, count) = (Arc::clone(&is_silent), Arc::clone(&count));
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (mut back, mut out) =
                    (server.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
                std::thread::spawn(move || std::io::copy(&mut back, &mut out));
                std::thread::spawn(move || forward(client, server, &is_silent, &count));
            }
        });
        SilentProxy { address, silent, asked }
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, silent: &AtomicBool, asked: &AtomicUsize) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read) = client.read(&mut bytes) {
        if read == 0 {
            break;
        }
        if silent.load(Ordering::SeqCst) {
            asked
                .fetch_add(String::from_utf8_lossy(&bytes[..read]).matches("EVAL").count(), Ordering::SeqCst);
        } else if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_redis_delays_one_request() {
    let Some(redis) = Redis::start() else { return };
    let (home, [token, _]) = home_with_tokens().await;
    let silencer = SilentProxy::before(redis.port);
    let app = home.another(|config| unlimited(config, &format!("redis://{}", silencer.address))).await;
    assert!(has_status(&app, "healthy").await);
    silencer.silent.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(call(&app, &token, "192.0.2.1").await.status, 200);
    }
    // One request waited; for later ones nothing was sent.
    assert_eq!(silencer.asked.load(Ordering::SeqCst), 1);
    wait_for("degraded", || has_status(&app, "degraded")).await;
    silencer.silent.store(false, Ordering::SeqCst);
    wait_for("healthy again", || has_status(&app, "healthy")).await;

    // The same with the real server, stopped.
    redis.signal("-STOP");
    wait_for("degraded", || async {
        assert_eq!(call(&app, &token, "192.0.2.1").await.status, 200);
        has_status(&app, "degraded").await
    })
    .await;
    redis.signal("-CONT");
    wait_for("healthy again", || has_status(&app, "healthy")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_starts_without_redis() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("redis://{}", listener.local_addr().expect("an address"));
    let home = TestApp::builtin().await;
    for url in ["redis://127.0.0.1:1", &silent] {
        let app = home.another(|config| unlimited(config, url)).await;
        assert!(has_status(&app, "degraded").await, "{url}");
        assert_eq!(app.get("/api/v1/projects").await.status, 200, "{url}");
    }
}

async fn validate(app: &TestApp, code: &str) -> Value {
    let reply = app.post("/api/v1/validate", json!({"code": code})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// The part of the answer that is independent of the process.
fn verdict(answer: &Value) -> Value {
    let engines = ["mermaid", "fast"].map(|engine| answer["engines"][engine]["valid"].clone());
    json!([answer["valid"], answer["kind"], answer["findings"], answer["validator"], engines])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_are_shared_between_processes() {
    let Some(redis) = Redis::start() else { return };
    let home = TestApp::builtin().await;
    let texts = [
        "flowchart LR\n  canarynode --> other",
        "classDiagram\n  class Canary {\n    +canarymethod()\n  }",
        "flowchart LR\n  A --> B\n  B --> canary[run()]\n",
        "nothing canary that anyone knows",
        "sequenceDiagram\n  canary->>ü: ein Größenmaß 𝄞\n  x\n",
    ];
    let first = home.another(|config| unlimited(config, &redis.url())).await;
    let mut answers = Vec::new();
    for text in texts {
        let answer = validate(&first, text).await;
        assert_eq!(answer["cached"], false, "{answer}");
        answers.push(verdict(&answer));
    }
    let second = home.another(|config| unlimited(config, &redis.url())).await;
    for (text, expected) in texts.iter().zip(&answers) {
        let answer = validate(&second, text).await;
        assert_eq!((&answer["cached"], &verdict(&answer)), (&json!(true), expected), "{text}");
    }
    // Also without Redis: the verdicts are in the memory of the process.
    drop(redis);
    for (text, expected) in texts.iter().zip(&answers) {
        let answer = validate(&second, text).await;
        assert_eq!((&answer["cached"], &verdict(&answer)), (&json!(true), expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_verdicts_in_redis_are_ignored() {
    let Some(redis) = Redis::start() else { return };
    let home = TestApp::builtin().await;
    let start = |key: &'static str| {
        let url = redis.url();
        home.another(move |config| {
            unlimited(config, &url);
            config.secrets.secret_key = key.into();
        })
    };
    let (good, bad) = ("flowchart LR\n  canary --> b", "flowchart LR\n  canary[[[");
    let first = start(KEY).await;
    assert_eq!(validate(&first, good).await["valid"], true);
    let [of_good] = <[String; 1]>::try_from(redis.names("*verdict:*")).expect("one name");
    assert_eq!(validate(&first, bad).await["valid"], false);
    let names = redis.names("*verdict:*");
    let of_bad = names.iter().find(|name| **name != of_good).expect("another name").clone();
    let get = |name: &str| redis.ask::<Vec<u8>>(&[b"GET", name.as_bytes()]);
    let (value_of_good, value_of_bad) = (get(&of_good), get(&of_bad));
    for name in &names {
        let left_s: i64 = redis.ask(&[b"TTL", name.as_bytes()]);
        assert!((1..=86_400).contains(&left_s), "{left_s}");
        let kept = [name.as_bytes(), &get(name)].concat();
        let kept = String::from_utf8(kept).expect("text").to_lowercase();
        assert!(!kept.contains("canary") && !kept.contains("flowchart"), "{kept}");
    }

    let mut flipped = value_of_bad.clone();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let plain_claim = concat!(
        r#"{"valid":true,"kind":"flowchart","findings":[],"mermaid":{"outcome":"#,
        r#"{"Accepted":{"mermaid_type":"flowchart-v2"}},"micros":1,"cached":false},"fast":null}"#,
    );
    let claims: [(&str, Vec<u8>); 7] = [
        ("the answer to another text", value_of_good.clone()),
        ("half of it", value_of_bad[..middle].to_vec()),
        ("one letter changed", flipped),
        ("more than there was", [value_of_bad.as_slice(), b"AAAA"].concat()),
        ("a plain claim", plain_claim.as_bytes().to_vec()),
        ("no text", vec![0xFF; 300]),
        ("far too much", vec![b'A'; 2 << 20]),
    ];
    for (what, claim) in claims {
        let () = redis.ask(&[b"SET", of_bad.as_bytes(), &claim]);
        let answer = validate(&start(KEY).await, bad).await;
        assert_eq!((&answer["valid"], &answer["cached"]), (&json!(false), &json!(false)), "{what}: {answer}");
        assert!(get(&of_bad) != claim, "{what}: the right answer replaces it");
    }
    let _: i64 = redis.ask(&[b"DEL", of_bad.as_bytes()]);
    let _: i64 = redis.ask(&[b"LPUSH", of_bad.as_bytes(), b"x"]);
    let answer = validate(&start(KEY).await, bad).await;
    assert_eq!((&answer["valid"], &answer["cached"]), (&json!(false), &json!(false)), "a list: {answer}");

    // Processes with another key, or without one, share no verdicts with these.
    let before = redis.names("*verdict:*").len();
    let other = start("another secret of thirty-two characters").await;
    assert_eq!(validate(&other, good).await["cached"], false);
    assert_eq!(redis.names("*verdict:*").len(), before + 1);
    let without = start("").await;
    assert_eq!(validate(&without, good).await["cached"], false);
    assert_eq!(redis.names("*verdict:*").len(), before + 1);
    let check = without.get("/health").await.json()["checks"]["redis"].clone();
    assert!(check["note"].as_str().is_some_and(|note| note.contains("SECRET_KEY")), "{check}");
    assert_eq!(validate(&start(KEY).await, good).await["cached"], true);
}
