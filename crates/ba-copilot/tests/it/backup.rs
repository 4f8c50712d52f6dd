//! Backups with the real program: created under load, destroyed, restored and compared, and scheduled backups of a
//! server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use store::{ConnectOptions, Store};
use tempfile::TempDir;

use crate::{
    acknowledged_writes::{Call, wait_for},
    postgres::Postgres,
    process::{BINARY, Server},
};

pub(crate) const PASSPHRASE: &str = "a passphrase that nobody guesses";
const HARD_TEXT: &str = "'; drop table users; --\r\n\t\"$1\" \\ % äöü 統一 🧭 \u{202e}rtl\u{feff} end";

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: std::process::Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A data folder, a folder of backups, and variables.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Place {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Place { folder, variables }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("ba-copilot.db")
    }

    pub(crate) fn url(&self) -> String {
        let named = self.variables.iter().find(|(name, _)| name == "DATABASE_URL");
        named.map_or_else(|| format!("sqlite:{}", self.database().display()), |(_, url)| url.clone())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], more: &[(&str, &str)]) -> Ran {
        self.run_by(BINARY, &[], arguments, more)
    }

    /// Runs the program through another program.
    pub(crate) fn run_by(
        &self,
        program: &str,
        before: &[String],
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> Ran {
        let output = Command::new(program)
            .args(before)
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .current_dir(self.folder.path())
            .env_clear()
            // For the tools of PostgreSQL.
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        Ran::of(output)
    }

    /// Runs shell commands with this folder first in `PATH`.
    pub(crate) fn shell(&self, commands: &str, programs: &str) -> Ran {
        let output = Command::new("bash")
            .args(["-eu", "-c", commands])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
            .env("BA_COPILOT__DATA__DIR", self.data())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        Ran::of(output)
    }

    pub(crate) fn run_ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Creates a backup and returns its file.
    pub(crate) fn create(&self) -> PathBuf {
        let to = self.backups();
        PathBuf::from(self.run_ok(&["backup", "create", "--to", to.to_str().expect("a path")]).trim())
    }

    pub(crate) fn serve(&self, more: &[(&str, &str)]) -> Server {
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([
                ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "1000000"),
                ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", "1000000"),
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ])
            .chain(more.iter().copied())
            .collect();
        Server::start(&self.data(), &variables)
    }

    pub(crate) fn token(&self) -> String {
        self.run_ok(&["user", "add", "ada@example.com"]);
        let make = ["token", "create", "--user", "ada@example.com", "--name", "test"];
        self.run_ok(&[&make[..], &["--scope", "read,write,generate,account"]].concat()).trim().to_owned()
    }

    /// All stored data, except the audit events about backups.
    pub(crate) fn dump(&self) -> Vec<String> {
        self.dump_all().into_iter().filter(|line| !is_about_backups(line)).collect()
    }

    /// The audit events about backups.
    pub(crate) fn dump_events(&self) -> Vec<String> {
        self.dump_all().into_iter().filter(|line| is_about_backups(line)).collect()
    }

    fn dump_all(&self) -> Vec<String> {
        block_on(async {
            let store = Store::connect(&self.url(), &ConnectOptions::default()).await.expect("the store");
            let mut lines = Vec::new();
            store.dump(|line| lines.push(line.to_owned())).await.expect("a dump");
            store.close().await;
            lines
        })
    }

    /// Deletes the database and the secret key.
    pub(crate) fn destroy(&self) {
        if let Some((_, url)) = self.variables.iter().find(|(name, _)| name == "DATABASE_URL") {
            block_on(async {
                let mut database = PgConnection::connect(url).await.expect("the server");
                database.execute("drop schema public cascade; create schema public").await.expect("gone");
            });
        }
        fs::remove_dir_all(self.data()).expect("gone");
    }
}

fn is_about_backups(line: &str) -> bool {
    line.contains("\"audit_events\"") && line.contains("\"action\":\"backup.")
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

/// Creates one item of every kind, with random sizes and unusual text.
fn fill(address: &str, token: &str, seed: u64) -> String {
    let mut dice = seed;
    let mut below = |most: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % most
    };
    let send = |call: Call<'_>| {
        let answer = call.with("if-match", "*").send(address, token).expect("an answer");
        assert!(answer.status < 300, "{} {}", answer.status, answer.json);
        answer.json
    };
    let id = |json: &Value| json["id"].as_str().expect("an id").to_owned();
    let project = id(&send(Call::post(
        "/api/v1/projects",
        &json!({"name": HARD_TEXT.replace(['\r', '\n', '\t'], " ")}),
    )));
    for number in 0..2 + below(4) {
        let body = json!({"title": format!("diagram {number} 統一"), "code": "classDiagram\n  class Order"});
        let diagram = id(&send(Call::post(&format!("/api/v1/projects/{project}/diagrams"), &body)));
        for version in 0..below(4) {
            let body =
                json!({"code": format!("classDiagram\n  class Order{version}"), "note": HARD_TEXT.trim()});
            send(Call::post(&format!("/api/v1/diagrams/{diagram}/versions"), &body));
        }
    }
    for number in 0..3 + below(30) {
        let body = json!({"text": format!("{number} {HARD_TEXT}")});
        send(Call::post(&format!("/api/v1/projects/{project}/requirements"), &body));
    }
    let message = json!({"message": "A customer places orders.", "project_id": project});
    send(Call::post("/api/v1/generate/class-diagram", &message));
    project
}

fn seed() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time");
    now.as_nanos() as u64
}

/// Create a backup under load and one at rest, destroy the data, restore both: the first has all acknowledged writes,
/// and the second has exactly the data at that time.
fn check_backup_and_restore(place: &Place) {
    let seed = seed();
    eprintln!("seed {seed}");
    let token = place.token();
    let server = place.serve(&[]);
    let project = fill(&server.address, &token, seed);
    let path = format!("/api/v1/projects/{project}/requirements");
    let (over, acknowledged, refused) =
        (AtomicBool::new(false), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let count = || acknowledged.lock().expect("a list").len();
    let backups = place.backups();
    let (before, loaded) = std::thread::scope(|scope| {
        for client in 0..3 {
            let (over, acknowledged, refused, server, token, path) =
                (&over, &acknowledged, &refused, &server, &token, &path);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let text = format!("wish {client} {number}.");
                    match Call::post(path, &json!({"text": text})).send(&server.address, token) {
                        Ok(answer) if answer.status == 201 => acknowledged.lock().expect("a list").push(text),
                        Ok(answer) => {
                            refused.lock().expect("a list").push(format!("{} {}", answer.status, answer.json))
                        }
                        Err(error) => refused.lock().expect("a list").push(error.to_string()),
                    }
                }
            });
        }
        wait_for("acknowledged writes", || count() >= 30);
        let before = acknowledged.lock().expect("a list").clone();
        let made = place.run(&["backup", "create", "--verify", "--to", backups.to_str().expect("a path")]);
        let after = count();
        wait_for("writes after the backup", || count() > after);
        over.store(true, Ordering::SeqCst);
        assert_eq!(made.code, 0, "{}{}", made.out, made.err);
        assert!(after > before.len(), "nothing was written during the backup");
        eprintln!("{} writes while the backup was created and verified", after - before.len());
        (before, PathBuf::from(made.out.lines().next().expect("a path")))
    });
    assert_eq!(*refused.lock().expect("a list"), Vec::<String>::new(), "a backup makes no request fail");

    let restore = |file: &Path, more: &[&str]| {
        let file = file.to_str().expect("a path");
        place.run(&[&["backup", "restore", file], more].concat())
    };
    let in_use = restore(&loaded, &["--replace"]);
    assert!(in_use.code == 2 && in_use.err.contains("in use"), "{}{}", in_use.out, in_use.err);
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");

    let (then, events) = (place.dump(), place.dump_events());
    let quiet = place.create();
    let good = place.run_ok(&["backup", "verify", quiet.to_str().expect("a path")]);
    assert!(good.contains(&format!("Good: {} rows", then.len() + events.len())), "{good}");
    let key = fs::read(place.data().join("secret.key")).ok();
    place.destroy();
    let restored = restore(&quiet, &[]);
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    assert!(place.dump() == then, "other rows than before (seed {seed})");
    let encrypted = quiet.extension().is_some_and(|it| it == "age");
    let restored_key = fs::read(place.data().join("secret.key")).ok();
    assert_eq!(restored_key, key.filter(|_| encrypted), "only an encrypted backup contains the key");

    // The restored server works, and its writes are preserved when another backup is restored.
    let server = place.serve(&[]);
    let page = Call::get(&path).send(&server.address, &token).expect("an answer");
    assert_eq!(page.status, 200, "{}", page.json);
    let made =
        Call::post(&path, &json!({"text": "Written after the restore."})).send(&server.address, &token);
    assert_eq!(made.expect("an answer").status, 201);
    server.signal("-KILL");
    server.wait();
    // The server notices the end of a killed client after a delay.
    let restore_when_alone = |more: &[&str]| {
        let mut ran = restore(&loaded, more);
        wait_for("the end of connections", || {
            let waiting = ran.err.contains("in use");
            if waiting {
                ran = restore(&loaded, more);
            }
            !waiting
        });
        ran
    };
    if place.url().starts_with("postgres") {
        let refused = restore_when_alone(&[]);
        assert!(refused.code == 2 && refused.err.contains("--replace"), "{}", refused.err);
    }
    let again = restore_when_alone(&["--replace"]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    let lines = place.dump().concat();
    let missing = before.iter().filter(|text| !lines.contains(&format!("\"{text}\""))).count();
    assert_eq!(missing, 0, "writes acknowledged before the backup began are missing in it");
    assert!(!lines.contains("Written after the restore."));
    // The replaced data is at the reported location.
    let (_, aside) = again.err.split_once("The previous data is now: ").expect("a location");
    let aside = aside.lines().next().expect("a place");
    let url = match aside.strip_prefix("database ") {
        Some(name) => {
            place.url().replace("/postgres", &format!("/{name}")).replace("/ours", &format!("/{name}"))
        }
        None => format!("sqlite:{aside}/ba-copilot.db"),
    };
    let old = block_on(async {
        let store = Store::connect(&url, &ConnectOptions::default()).await.expect("the previous data");
        let mut lines = String::new();
        store.dump(|line| lines.push_str(line)).await.expect("a dump");
        lines
    });
    assert!(
        old.contains("Written after the restore."),
        "the previous data is complete, including the last write"
    );
}

#[test]
fn backup_restores_everything_on_sqlite() {
    check_backup_and_restore(&Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]));
    check_backup_and_restore(&Place::new(&[]));
}

#[test]
fn backup_restores_everything_on_postgres() {
    let Some(postgres) = Postgres::start() else { return };
    block_on(async {
        let mut admin = PgConnection::connect(&postgres.url()).await.expect("the server");
        let create = "create database ours template template0 locale_provider icu icu_locale 'und'";
        admin.execute(create).await.expect("a database");
    });
    let url = postgres.url().replace("/postgres", "/ours");
    check_backup_and_restore(&Place::new(&[("DATABASE_URL", &url), ("BACKUP_PASSPHRASE", PASSPHRASE)]));
    let scratch = block_on(async {
        let mut admin = PgConnection::connect(&postgres.url()).await.expect("the server");
        let count = "select count(*) from pg_database where datname like 'ba\\_copilot\\_scratch%'";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut admin).await.expect("a count")
    });
    assert_eq!(scratch, 0, "temporary databases are dropped");
}

#[test]
fn backup_verify_finds_inconsistent_data() {
    let place = Place::new(&[]);
    let token = place.token();
    let server = place.serve(&[]);
    fill(&server.address, &token, 1);
    server.signal("-TERM");
    server.wait();
    for (change, said) in [
        ("update diagrams set head_version = head_version + 1", "diagrams whose versions are not all there"),
        ("update memberships set role = 'viewer'", "projects that have members and no owner"),
    ] {
        let saved = fs::read(place.database()).expect("the database");
        block_on(async {
            let mut database = SqliteConnection::connect(&place.url()).await.expect("open");
            database.execute(change).await.expect("changed");
            database.close().await.expect("closed");
        });
        let tried = place.run(&["backup", "verify", place.create().to_str().expect("a path")]);
        assert!(tried.code == 1 && tried.out.contains(said), "{change}: {}{}", tried.out, tried.err);
        fs::write(place.database(), saved).expect("restored");
    }
    // A different secret key than the one used for encryption.
    block_on(async {
        let mut database = SqliteConnection::connect(&place.url()).await.expect("open");
        let key = "insert into data_keys (id, sealed, created_at) values ('dek_1', 'AAAA', 1)";
        database.execute(key).await.expect("a key");
        database.close().await.expect("closed");
    });
    let tried = place.run(&["backup", "verify", place.create().to_str().expect("a path")]);
    assert!(tried.code == 1 && tried.out.contains("1 of 1 keys"), "{}{}", tried.out, tried.err);
}

#[test]
fn invalid_backup_commands_are_explained() {
    let place = Place::new(&[]);
    for (arguments, variables, said) in [
        (vec!["backup", "create", "--to", "b"], vec![], "nothing to back up"),
        (vec!["backup", "create"], vec![], "nothing to back up"),
        (vec!["backup", "create", "--to", "b", "--keep", "7"], vec![], "7d"),
        (vec!["backup", "verify", "nowhere"], vec![], "does not exist"),
        (vec!["backup", "restore", "nowhere"], vec![], "does not exist"),
    ] {
        let ran = place.run_with(&arguments, &variables);
        assert!(ran.code == 2 && ran.err.contains(said), "{arguments:?}: {} {}", ran.code, ran.err);
    }
    assert_eq!(place.run(&["backup", "list", "b"]).code, 1);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let short = place.run_with(&["backup", "create", "--to", "b"], &[("BACKUP_PASSPHRASE", "secret")]);
    assert!(
        short.code == 2 && short.err.contains("20 characters") && !short.err.contains("secret\""),
        "{}",
        short.err
    );
    // Also into the data folder itself; the default is a folder inside it.
    let data = place.data();
    place.run_ok(&["backup", "create", "--to", data.to_str().expect("a path")]);
    let made = place.run_ok(&["backup", "create"]);
    assert!(made.starts_with(&format!("{}/ba-copilot-", data.join("backups").display())), "{made}");
    assert_eq!(place.run_ok(&["backup", "list"]).lines().count(), 1);
}

#[test]
fn scheduled_backups_run_in_one_process_at_a_time() {
    let place = Place::new(&[]);
    let backups = place.backups();
    let folder = backups.to_str().expect("a path");
    let variables = [("BA_COPILOT__BACKUP__DIR", folder), ("BA_COPILOT__BACKUP__EVERY_H", "1")];
    let servers = [place.serve(&variables), place.serve(&variables)];
    let gauge = |server: &Server, name: &str| {
        let (_, page) = server.request("GET", "/metrics", "").expect("metrics");
        page.lines()
            .find_map(|line| line.strip_prefix(&format!("{name} "))?.parse::<f64>().ok())
            .unwrap_or_default()
    };
    wait_for("a verified backup", || {
        servers.iter().any(|server| gauge(server, "ba_copilot_backup_last_verified_timestamp_seconds") > 0.0)
    });
    let server = servers
        .iter()
        .find(|server| gauge(server, "ba_copilot_backup_last_verified_timestamp_seconds") > 0.0)
        .expect("the process that created it");
    assert!(gauge(server, "ba_copilot_backup_size_bytes") > 1000.0);
    assert!(gauge(server, "ba_copilot_backup_last_created_timestamp_seconds") > 1.7e9);
    let listed = place.run_ok(&["backup", "list", folder, "--json"]);
    assert_eq!(listed.lines().count(), 1, "only one process creates a backup: {listed}");
    let found: Value = serde_json::from_str(listed.trim()).expect("JSON");
    assert_eq!(found["verified"]["good"], true, "{found}");
    for server in servers {
        server.signal("-TERM");
        let (status, log) = server.wait();
        assert!(status.code() == Some(0) && !log.contains("\"level\":\"ERROR\""), "{log}");
    }
}

#[test]
fn failed_scheduled_backup_is_reported_and_the_server_continues() {
    let place = Place::new(&[]);
    let file = place.folder.path().join("a file");
    fs::write(&file, "x").expect("written");
    let folder = file.to_str().expect("a path");
    let server = place.serve(&[("BA_COPILOT__BACKUP__DIR", folder), ("BA_COPILOT__BACKUP__EVERY_H", "1")]);
    wait_for("a counted failure", || {
        let (_, page) = server.request("GET", "/metrics", "").expect("metrics");
        page.lines().any(|line| line == "ba_copilot_backup_failures_total 1")
    });
    assert_eq!(server.request("GET", "/health", "").expect("health").0, 200);
    server.signal("-TERM");
    let (_, log) = server.wait();
    assert!(log.contains("\"level\":\"ERROR\"") && log.contains("The backup failed"), "{log}");
}
