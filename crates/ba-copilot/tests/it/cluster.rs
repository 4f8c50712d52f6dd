//! Three processes on one PostgreSQL and one Redis under load, while a process is killed, the database restarts and
//! Redis stops: no wrong answer, no acknowledged write lost, and recovery without intervention.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    acknowledged_writes::{Call, Site, wait_for},
    postgres::Postgres,
    process::{BINARY, Server},
    redis::Redis,
    users::PASSWORD,
};

/// Clients that write: each to its own diagrams and to one shared diagram.
const WRITERS: usize = 4;
/// Clients that read the acknowledged writes of others.
const READERS: usize = 2;
/// The number of acknowledged writes between two faults.
const WRITES: usize = 25;

/// The common settings of all processes.
struct Settings(Vec<(&'static str, String)>);

impl Settings {
    fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Runs a command of the program, as an administrator does.
    fn run(&self, data: &TempDir, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .arg("--data")
            .arg(data.path())
            .current_dir(data.path())
            .env_clear()
            .envs(self.pairs())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn serve(&self, data: &TempDir) -> Server {
        Server::start(data.path(), &self.pairs())
    }
}

/// The status in `/health` of one process.
fn health(server: &Server) -> Option<String> {
    let (_, body) = server.request("GET", "/health", "").ok()?;
    serde_json::from_str::<Value>(&body).ok()?["status"].as_str().map(str::to_owned)
}

fn wait_until_all_are(status: &str, servers: &[Server]) {
    for server in servers {
        wait_for(status, || health(server).as_deref() == Some(status));
    }
}

/// Every second diagram is invalid, so that `validated` has both values.
fn code(writer: usize, number: usize) -> (String, bool) {
    match number % 2 {
        0 => (format!("flowchart LR\n  w{writer}n{number} --> b"), true),
        _ => (format!("flowchart LR\n  w{writer}n{number}[[["), false),
    }
}

/// Writes the next version of a diagram. If the diagram is shared, another client may have written a version before.
fn write_version(site: &Site, diagram: &str, etag: &str, (code, valid): (String, bool), alone: bool) {
    let path = format!("/api/v1/diagrams/{diagram}/versions");
    let body = json!({"code": code});
    let Some(answer) = site.ask(&Call::post(&path, &body).with("if-match", etag)) else { return };
    match answer.status {
        201 => {
            let number = &answer.json["newest"]["number"];
            site.acknowledged(format!("{path}/{number}"), json!({"code": code, "validated": valid}));
        }
        412 if !alone => (),
        other => site.fault(format!("POST {path}: {other} {}", answer.json)),
    }
}

/// Creates a background job for a diagram; any process may run it.
fn ask_for_later(site: &Site, project: &str, message: &str) {
    let path = "/api/v1/generate/class-diagram";
    let body = json!({"message": message, "project_id": project});
    match site.ask(&Call::post(path, &body).with("prefer", "respond-async")) {
        None => site.not_known(message.to_owned()),
        Some(answer) if answer.status == 202 => {
            let id = answer.json["id"].as_str().expect("an id").to_owned();
            // The title of the diagram is the message.
            site.later(id, message.to_owned());
        }
        Some(answer) => site.fault(format!("POST {path}: {} {}", answer.status, answer.json)),
    }
}

fn write(site: &Site, project: &str, contested: &str, writer: usize) {
    for number in 0.. {
        if site.is_over() {
            return;
        }
        let title = format!("writer {writer} number {number}");
        let path = format!("/api/v1/projects/{project}/diagrams");
        let (text, valid) = code(writer, number);
        let body = json!({"title": title, "code": text});
        match site.ask(&Call::post(&path, &body)) {
            None => site.not_known(title),
            Some(answer) if answer.status == 201 => {
                let id = answer.json["id"].as_str().expect("an id").to_owned();
                site.acknowledged(format!("/api/v1/diagrams/{id}"), json!({"id": id, "title": title}));
                let first = format!("/api/v1/diagrams/{id}/versions/1");
                site.acknowledged(first, json!({"code": text, "validated": valid}));
                let etag = answer.etag.expect("a revision");
                write_version(site, &id, &etag, code(writer, number + 1), true);
            }
            Some(answer) => site.fault(format!("POST {path}: {} {}", answer.status, answer.json)),
        }
        ask_for_later(site, project, &format!("Writer {writer} places order {number}."));
        let contested_path = format!("/api/v1/diagrams/{contested}");
        let seen = site.ask(&Call::get(&contested_path)).and_then(|answer| answer.etag);
        if let Some(etag) = seen {
            write_version(site, contested, &etag, code(writer, number), false);
        }
    }
}

/// The items of all pages of a list.
fn list(site: &Site, path: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.ask(&Call::get(&format!("{path}?limit=200{after}"))).expect("a page").json;
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

#[test]
fn acknowledged_writes_survive_process_database_and_redis_failures() {
    let (Some(mut postgres), Some(mut redis)) = (Postgres::start(), Redis::start()) else { return };
    let settings = Settings(vec![
        ("DATABASE_URL", postgres.url()),
        ("REDIS_URL", redis.url()),
        ("SECRET_KEY", "the same in every process of the cluster".to_owned()),
        ("BA_COPILOT__CHECK__THREADS", "1".to_owned()),
        ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "1000000".to_owned()),
        ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", "1000000".to_owned()),
        ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1000000".to_owned()),
        // `/health` must report the fault, not that the machine is overloaded.
        ("BA_COPILOT__REDIS__TIMEOUT_MS", "1000".to_owned()),
    ]);
    let data: Vec<TempDir> = (0..4).map(|_| TempDir::new().expect("a folder")).collect();
    settings.run(&data[0], &["user", "add", "ada@example.com", "--password-stdin"], PASSWORD);
    let token = settings.run(
        &data[0],
        &[
            "token",
            "create",
            "--user",
            "ada@example.com",
            "--name",
            "crowd",
            "--scope",
            "read,write,generate",
        ],
        "",
    );
    let mut servers: Vec<Server> = data[..3].iter().map(|data| settings.serve(data)).collect();
    let addresses = |servers: &[Server]| servers.iter().map(|server| server.address.clone()).collect();
    wait_until_all_are("healthy", &servers);

    let site = Arc::new(Site::new(addresses(&servers), token));
    let made = site.ask(&Call::post("/api/v1/projects", &json!({"name": "Cluster"}))).expect("a project");
    let project = made.json["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/projects/{project}/diagrams");
    let body = json!({"title": "contested", "code": "flowchart LR\n  a --> b"});
    let made = site.ask(&Call::post(&path, &body)).expect("a diagram");
    let contested = made.json["id"].as_str().expect("an id").to_owned();

    let writers = (0..WRITERS).map(|writer| {
        let (site, project, contested) = (Arc::clone(&site), project.clone(), contested.clone());
        thread::spawn(move || write(&site, &project, &contested, writer))
    });
    let readers = (0..READERS).map(|reader| {
        let site = Arc::clone(&site);
        // Scheduled faults, which reach the processes in a different order.
        thread::spawn(move || {
            (reader..).step_by(7).take_while(|_| !site.is_over()).for_each(|number| site.read_again(number))
        })
    });
    let clients: Vec<_> = writers.chain(readers).collect();
    site.wait_for_more(WRITES);

    // A process is killed during its work. The load balancer notices it.
    let killed = servers.pop().expect("a server");
    killed.signal("-KILL");
    site.serve_at(addresses(&servers));
    killed.wait();
    site.wait_for_more(WRITES);

    // The database is restarted.
    postgres.stop_fast();
    wait_until_all_are("unhealthy", &servers);
    postgres.start_again();
    wait_until_all_are("healthy", &servers);
    site.wait_for_more(WRITES);

    // Redis stops, and a new process starts without it.
    redis.kill();
    wait_until_all_are("degraded", &servers);
    servers.push(settings.serve(&data[3]));
    site.serve_at(addresses(&servers));
    wait_until_all_are("degraded", &servers);
    site.wait_for_more(WRITES);
    redis.start_again();
    wait_until_all_are("healthy", &servers);

    site.calm_down();
    site.wait_for_more(2 * WRITES);
    site.end();
    clients.into_iter().for_each(|client| client.join().expect("a client"));

    // Every job is done, including those of the killed process.
    let asked = site.asked_for_later();
    for job in asked.keys() {
        let path = format!("/api/v1/jobs/{job}");
        wait_for("a job", || {
            site.ask(&Call::get(&path)).is_some_and(|answer| answer.json["status"] == "done")
        });
    }
    // Every acknowledged write exists, at every process, exactly once.
    site.read_all_everywhere();
    let mut known: Vec<String> = Vec::new();
    for diagram in list(&site, &path) {
        let (id, title) =
            (diagram["id"].as_str().expect("an id"), diagram["title"].as_str().expect("a title"));
        let acknowledged = site.facts().contains_key(&format!("/api/v1/diagrams/{id}"));
        let by_job = asked.values().any(|asked| asked == title);
        assert!(
            acknowledged || by_job || id == contested || site.may_be_there(title),
            "no client wrote {diagram}"
        );
        known.push(title.to_owned());
    }
    for title in asked.values() {
        assert!(known.contains(title), "the diagram of a job is missing: {title}");
    }
    let count = known.len();
    known.sort();
    known.dedup();
    assert_eq!(known.len(), count, "a diagram is duplicated");
    let versions = list(&site, &format!("/api/v1/diagrams/{contested}/versions"));
    let numbers: Vec<u64> = versions.iter().rev().filter_map(|version| version["number"].as_u64()).collect();
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "numbers without duplicates and gaps"
    );
    assert_eq!(site.faults(), Vec::<String>::new());
    let (facts, failures) = (site.facts().len(), site.failures());
    eprintln!("{facts} facts, {} jobs, {failures} requests without an answer", asked.len());
}
