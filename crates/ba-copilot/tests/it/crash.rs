//! Fifty times SIGKILL at a random moment while clients write: every acknowledged operation is stored once, every other
//! one at most once, and a retry with the same idempotency key returns the outcome.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    acknowledged_writes::{Answer, Call, wait_for},
    app::NO_LIMITS,
    postgres::Postgres,
    process::{BINARY, Server},
};

const KILLS: usize = 50;
const CLIENTS: usize = 4;

/// An operation that a client requests once.
#[derive(Debug, Clone)]
struct Operation {
    key: String,
    path: String,
    body: Value,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Diagram,
    Version,
    Requirement,
    Job,
}

/// Shared state of the clients.
struct Site {
    address: String,
    token: String,
    project: String,
    diagram: String,
    over: AtomicBool,
    /// Each operation has a unique key in its text.
    acknowledged: Mutex<Vec<Operation>>,
    /// Operations with an unknown outcome.
    unknown: Mutex<Vec<Operation>>,
    jobs: Mutex<Vec<String>>,
    answered_later: AtomicUsize,
}

impl Site {
    fn operation(&self, client: usize, number: usize) -> Operation {
        let key = format!("wish-{client}-{number}");
        let in_project = |what: &str| format!("/api/v1/projects/{}/{what}", self.project);
        let (kind, path, body) = match number % 8 {
            0 | 4 => (
                Kind::Diagram,
                in_project("diagrams"),
                json!({"title": key, "code": "classDiagram\n  class Order"}),
            ),
            1 | 5 | 6 => (
                Kind::Version,
                format!("/api/v1/diagrams/{}/versions", self.diagram),
                json!({"code": format!("classDiagram\n  class Order{number}"), "note": key}),
            ),
            2 | 3 => (Kind::Requirement, in_project("requirements"), json!({"text": key})),
            _ => (
                Kind::Job,
                "/api/v1/generate/class-diagram".to_owned(),
                json!({"message": format!("{key} places orders."), "project_id": self.project}),
            ),
        };
        Operation { key, path, body, kind }
    }

    fn send(&self, operation: &Operation) -> std::io::Result<Answer> {
        let call = Call::post(&operation.path, &operation.body)
            .with("if-match", "*")
            .with("idempotency-key", &operation.key);
        let call = if operation.kind == Kind::Job { call.with("prefer", "respond-async") } else { call };
        call.send(&self.address, &self.token)
    }

    /// Whether the outcome is known now.
    fn settle(&self, operation: &Operation, answer: &Answer) -> bool {
        match answer.status {
            201 | 202 => {
                if operation.kind == Kind::Job {
                    self.jobs
                        .lock()
                        .expect("jobs")
                        .push(answer.json["id"].as_str().expect("an id").to_owned());
                }
            }
            // The operation was done, and its response was lost with the process.
            409 if answer.json["code"] == "conflict" => {
                self.answered_later.fetch_add(1, Ordering::Relaxed);
            }
            409 | 503 => return false,
            other => panic!("{operation:?}: {other} {}", answer.json),
        }
        self.acknowledged.lock().expect("acknowledged").push(operation.clone());
        true
    }

    fn client(&self, client: usize) {
        for number in 0.. {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let operation = self.operation(client, number);
            loop {
                match self.send(&operation) {
                    Ok(answer) if self.settle(&operation, &answer) => break,
                    // The server is not running.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        if self.over.load(Ordering::SeqCst) {
                            return;
                        }
                        std::thread::yield_now();
                    }
                    _ => {
                        self.unknown.lock().expect("unknown").push(operation);
                        break;
                    }
                }
            }
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("acknowledged").len()
    }

    fn get(&self, path: &str) -> Value {
        let answer = Call::get(path).send(&self.address, &self.token).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        answer.json
    }

    /// How often each value of a field occurs in a list of many pages.
    fn count_all(&self, path: &str, field: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        let mut next = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=200{next}"));
            for item in page["items"].as_array().expect("a list") {
                *counts.entry(item[field].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
            match page["next"].as_str() {
                Some(cursor) => next = format!("&after={cursor}"),
                None => return counts,
            }
        }
    }
}

fn run(arguments: &[&str], folder: &TempDir, variables: &[(&str, &str)]) -> String {
    let output = Command::new(BINARY)
        .args(arguments)
        .arg("--data")
        .arg(folder.path())
        .current_dir(folder.path())
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Different in each run; printed in failures.
fn seed() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time");
    now.as_nanos() as u64
}

fn check_writes_survive_kills(variables: &[(&str, &str)]) {
    let folder = TempDir::new().expect("a folder");
    run(&["user", "add", "ada@example.com"], &folder, variables);
    let scopes = ["--scope", "read", "--scope", "write", "--scope", "generate"];
    let make = ["token", "create", "--user", "ada@example.com", "--name", "test"];
    let token = run(&[&make[..], &scopes[..]].concat(), &folder, variables);
    let variables: Vec<(&str, &str)> = variables.iter().copied().chain(NO_LIMITS).collect();
    let server = Server::start(folder.path(), &variables);
    let address = server.address.clone();
    let ask = |call: Call<'_>| call.send(&address, &token).expect("an answer").json;
    let project = ask(Call::get("/api/v1/projects"))["items"][0]["id"].as_str().expect("an id").to_owned();
    let body = json!({"title": "the one", "code": "classDiagram\n  class Order"});
    let made = ask(Call::post(&format!("/api/v1/projects/{project}/diagrams"), &body));
    let site = Site {
        diagram: made["id"].as_str().expect("an id").to_owned(),
        address: address.clone(),
        token: token.clone(),
        project,
        over: AtomicBool::new(false),
        acknowledged: Mutex::default(),
        unknown: Mutex::default(),
        jobs: Mutex::default(),
        answered_later: AtomicUsize::new(0),
    };
    let seed = seed();
    let mut dice = seed;
    let mut below = |most: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((dice >> 33) as usize) % most
    };
    eprintln!("seed {seed}");
    let server = std::thread::scope(|scope| {
        let (site, mut server) = (&site, server);
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || site.client(client))).collect();
        for _ in 0..KILLS {
            let goal = site.count() + below(12);
            wait_for("acknowledged writes", || {
                site.count() >= goal || clients.iter().any(|it| it.is_finished())
            });
            // At a random moment during the next write.
            let moment = Instant::now() + Duration::from_micros(below(4000) as u64);
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            server.signal("-KILL");
            server.wait();
            server = Server::start_with(&["--listen", &address], folder.path(), &variables);
        }
        site.over.store(true, Ordering::SeqCst);
        server
    });
    // Operations with an unknown outcome are retried until the outcome is known.
    let unknown = std::mem::take(&mut *site.unknown.lock().expect("unknown"));
    for operation in &unknown {
        wait_for("an answer to a request that was sent again", || {
            site.send(operation).is_ok_and(|answer| site.settle(operation, &answer))
        });
    }
    let jobs = site.jobs.lock().expect("jobs").clone();
    for job in &jobs {
        wait_for("a job", || site.get(&format!("/api/v1/jobs/{job}"))["status"] == "done");
    }
    // A job whose response was lost is done, too.
    wait_for("all jobs", || {
        let list = site.count_all(&format!("/api/v1/projects/{}/jobs", site.project), "status");
        list.keys().all(|status| status == "done")
    });

    let in_project = |what: &str| format!("/api/v1/projects/{}/{what}", site.project);
    let titles = site.count_all(&in_project("diagrams"), "title");
    let texts = site.count_all(&in_project("requirements"), "text");
    let notes = site.count_all(&format!("/api/v1/diagrams/{}/versions", site.diagram), "note");
    let acknowledged = site.acknowledged.lock().expect("acknowledged");
    for operation in acknowledged.iter() {
        let there = match operation.kind {
            Kind::Diagram => titles.get(&operation.key),
            Kind::Requirement => texts.get(&operation.key),
            Kind::Version => notes.get(&operation.key),
            Kind::Job => titles.get(&format!("{} places orders.", operation.key)),
        };
        assert_eq!(there, Some(&1), "{operation:?} (seed {seed})");
    }
    for (what, count) in titles.iter().chain(&texts).chain(&notes) {
        assert_eq!(*count, 1, "{what} is there {count} times (seed {seed})");
    }
    let there = titles.len() + texts.len() + notes.len();
    // "the one" and its first version were not written by the clients.
    assert_eq!(there - 2, acknowledged.len(), "there are items that no client created (seed {seed})");
    eprintln!(
        "{KILLS} kills: {} operations, each carried out once; {} were sent again, \
         {} of them had lost their answer; {} jobs",
        acknowledged.len(),
        unknown.len(),
        site.answered_later.load(Ordering::Relaxed),
        jobs.len()
    );
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
}

#[test]
fn fifty_kills_lose_and_duplicate_nothing_on_sqlite() {
    check_writes_survive_kills(&[]);
}

#[test]
fn fifty_kills_lose_and_duplicate_nothing_on_postgres() {
    let Some(postgres) = Postgres::start() else { return };
    check_writes_survive_kills(&[("DATABASE_URL", &postgres.url())]);
}
