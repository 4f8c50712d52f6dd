//! `doctor` on healthy set-ups, and on the same set-ups with one fault: it finds exactly that fault.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Seek, SeekFrom, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use application::{
    access::Caller,
    accounts::users::create_set_up_link,
    app::App,
    clock::{Clock, rfc3339},
    webhooks::create_webhook,
};
use config::{Config, Environment};
use operations::{
    diagnostics::Status,
    doctor::{CheckContext, Report, examine},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use test_support::skip;
use tokio::task::block_in_place;

use crate::{
    faults::SmallDisk,
    postgres::Postgres,
    process::{BINARY, Server},
    redis::Redis,
};

const STRONG: &str = "qW3rTyUiOp0-aSdFgHjKl_zXcVbNm123456789AbCdE";

/// The system clock: files have real times.
#[expect(clippy::disallowed_methods, reason = "files and servers use the system time")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// A set-up to examine.
struct Setup {
    folder: TempDir,
    data: PathBuf,
    variables: BTreeMap<String, String>,
    file: Option<PathBuf>,
    clock: fn() -> SystemTime,
    /// Resources that live as long as the set-up.
    resources: Vec<Box<dyn Any>>,
}

impl Setup {
    /// The state after a first start on a local machine; with `team`, as an administrator would configure it.
    async fn healthy(team: bool, database: Option<&str>) -> Setup {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("data");
        let mut setup =
            Setup { data, folder, variables: BTreeMap::new(), file: None, clock: now, resources: vec![] };
        setup.set("BA_COPILOT__DATA__DIR", setup.data.display().to_string());
        setup.set("BA_COPILOT__SERVER__LISTEN", "127.0.0.1:0");
        if let Some(url) = database {
            setup.set("DATABASE_URL", url);
            setup.set("SECRET_KEY", STRONG);
            fs::create_dir(&setup.data).expect("a folder");
            rights(&setup.data, 0o700);
        }
        let app = setup.app().await;
        if team {
            setup.set("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:0");
            setup.set("BA_COPILOT__SERVER__PROXIES", "1");
            setup.set("PUBLIC_URL", "https://ba.example.com");
            let mail = TcpListener::bind("127.0.0.1:0").expect("a port");
            setup.set("SMTP_URL", format!("smtp://u:geheim@{}", mail.local_addr().expect("an address")));
            setup.resources.push(Box::new(mail));
            setup.back_up(1, Some(true));
            create_set_up_link(&app).await.expect("a link");
        }
        app.store.expect("a store").close().await;
        setup
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    fn environment(&self) -> Environment {
        Environment::from_pairs(self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The application on this set-up.
    async fn app(&self) -> App {
        let config = Config::load(self.file.as_deref(), &self.environment()).expect("a configuration");
        App::stateless(config, Clock::system()).expect("an app").with_store().await.expect("a store")
    }

    /// Creates the only backup, of this many hours ago, with the result of its verification, if any.
    fn back_up(&self, hours: i64, good: Option<bool>) {
        let backups = self.data.join("backups");
        let _ = fs::remove_dir_all(&backups);
        fs::create_dir(&backups).expect("a folder");
        let at = rfc3339(Clock::system().now_us().plus_seconds(-hours * 3600));
        let stamp: String = at[..19].chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let name = format!("ba-copilot-{stamp}Z-x{hours}.tar.zst");
        fs::write(backups.join(&name), "backup").expect("written");
        if let Some(good) = good {
            let seen = json!({"verified_at": at, "good": good, "faults": []});
            fs::write(backups.join(format!("{name}.verified.json")), seen.to_string()).expect("written");
        }
    }

    fn database(&self) -> PathBuf {
        self.data.join("ba-copilot.db")
    }

    /// Runs statements on the SQLite file directly.
    async fn sql(&self, statements: &[&str]) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.database()).foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe((*statement).to_owned()))
                .execute(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
        }
        connection.close().await.expect("closed");
    }

    async fn examine(&self) -> Report {
        // As `main` does; another test may have installed the provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inspection = Config::inspect(self.file.as_deref(), &self.environment(), &[]);
        examine(CheckContext::new(inspection, Clock::from_fn(self.clock)).await).await
    }
}

fn rights(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
}

/// An address without a listener.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").to_string()
}

/// The findings: id and status of each failed check.
fn findings(report: &Report) -> Vec<(String, Status)> {
    let bad = report.checks.iter().filter(|check| check.status() >= Status::Warning);
    bad.map(|check| (check.id.to_owned(), check.status())).collect()
}

/// The set-up has exactly these findings, each with a cure, and the report contains no secret.
async fn check(what: &str, setup: &Setup, expected: &[(&str, Status)]) {
    let report = setup.examine().await;
    let text = format!("{:#}", report.json());
    let expected: Vec<_> = expected.iter().map(|(id, status)| ((*id).to_owned(), *status)).collect();
    assert_eq!(findings(&report), expected, "{what}\n{text}");
    assert!(
        report.checks.iter().all(|check| check.outcome.problem().is_none_or(|it| !it.cure.is_empty())),
        "{what}"
    );
    assert_eq!(report.checks.len(), operations::doctor::CHECKS.len());
    for secret in ["geheim", STRONG] {
        assert!(!text.contains(secret), "{what}: the report has a secret\n{text}");
    }
}

type Break = fn(&mut Setup);

/// Faults in settings, files, and services. The third column is whether it is the set-up of a team.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_setting_or_file_is_found_and_nothing_else() {
    use Status::{Failed, Warning};
    let table: &[(&str, Option<Status>, bool, Break)] = &[
        ("", None, false, |_| ()),
        ("", None, true, |_| ()),
        ("configuration", Some(Failed), false, |it| it.set("BA_COPILOT__SERVER__LISTENS", "geheim")),
        ("configuration", Some(Failed), false, |it| it.set("MAIL_FROM", "nobody")),
        ("configuration", Some(Failed), false, |it| it.set("LOG_LEVEL", "loud")),
        ("configuration", Some(Failed), false, |it| it.set("DATABASE_URL", "mysql://u:geheim@host/db")),
        ("configuration", Some(Failed), false, |it| it.file = Some(it.folder.path().join("none.toml"))),
        ("secret-files", Some(Failed), false, |it| {
            let file = it.folder.path().join("ba.toml");
            fs::write(&file, format!("[mcp]\ntoken = \"{STRONG}\"\n")).expect("written");
            rights(&file, 0o640);
            it.file = Some(file);
        }),
        ("", None, false, |it| {
            let file = it.folder.path().join("ba.toml");
            fs::write(&file, "[jobs]\nat_once = 2\n").expect("written");
            rights(&file, 0o644);
            it.file = Some(file);
        }),
        ("clock", Some(Failed), false, |it| it.clock = || UNIX_EPOCH + Duration::from_secs(1_500_000_000)),
        ("data-folder", Some(Warning), false, |it| {
            it.set("BA_COPILOT__DATA__DIR", it.folder.path().join("new").display().to_string());
        }),
        ("data-folder", Some(Failed), false, |it| {
            let file = it.folder.path().join("file");
            fs::write(&file, "").expect("written");
            it.set("BA_COPILOT__DATA__DIR", file.display().to_string());
        }),
        ("data-rights", Some(Warning), false, |it| rights(&it.data, 0o750)),
        ("database-files", Some(Warning), false, |it| rights(&it.database(), 0o644)),
        ("database", Some(Failed), false, |it| {
            fs::write(it.database(), "no database, but long enough to look into, I hope").expect("written");
        }),
        ("secret-key", Some(Failed), false, |it| {
            it.set("SECRET_KEY", "change-me-change-me-change-me-change-me")
        }),
        ("secret-key", Some(Warning), false, |it| it.set("SECRET_KEY", format!("{STRONG},{STRONG}1"))),
        ("secret-key", Some(Warning), false, |it| {
            // The connection is refused, but that is the finding of another check.
            it.set("REDIS_URL", "redis://u:geheim@127.0.0.1:1");
            it.set("BA_COPILOT__REDIS__TIMEOUT_MS", "10");
        }),
        ("secret-key-file", Some(Failed), false, |it| rights(&it.data.join("secret.key"), 0o644)),
        ("secret-key-file", Some(Failed), false, |it| {
            fs::write(it.data.join("secret.key"), "short").expect("written");
        }),
        ("accounts", Some(Failed), false, |it| {
            it.set("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:0");
            it.set("PUBLIC_URL", "https://ba.example.com");
            it.set("BA_COPILOT__SERVER__PROXIES", "1");
        }),
        ("public-url", Some(Warning), true, |it| it.set("PUBLIC_URL", "http://ba.example.com")),
        ("public-url", Some(Warning), true, |it| {
            it.variables.remove("PUBLIC_URL");
            it.set("BA_COPILOT__SERVER__PROXIES", "0");
        }),
        ("proxies", Some(Warning), true, |it| it.set("BA_COPILOT__SERVER__PROXIES", "0")),
        ("port", Some(Failed), false, |it| {
            let other = TcpListener::bind("127.0.0.1:0").expect("a port");
            it.set("BA_COPILOT__SERVER__LISTEN", other.local_addr().expect("an address").to_string());
            it.resources.push(Box::new(other));
        }),
        ("", None, false, |it| {
            let server = Server::start(&it.data, &[]);
            it.set("BA_COPILOT__SERVER__LISTEN", server.address.clone());
            it.resources.push(Box::new(server));
        }),
        ("engine", Some(Failed), false, |it| it.set("BA_COPILOT__CHECK__MAX_TEXT_BYTES", "20")),
        ("redis", Some(Failed), false, |it| {
            it.set("REDIS_URL", format!("redis://u:geheim@{}", closed()));
            it.set("SECRET_KEY", STRONG);
        }),
        ("ai-service", Some(Failed), false, |it| {
            it.set("AI_SERVICE_URL", format!("http://u:geheim@{}/", closed()));
        }),
        ("mcp-server", Some(Failed), false, |it| {
            it.set("MCP_SERVER_URL", format!("http://u:geheim@{}/mcp", closed()));
        }),
        ("mail", Some(Failed), true, |it| it.set("SMTP_URL", format!("smtp://u:geheim@{}", closed()))),
        ("mail", Some(Warning), true, |it| drop(it.variables.remove("SMTP_URL"))),
        ("sign-in-provider", Some(Failed), false, |it| {
            it.set("OIDC_ISSUER", format!("http://{}", closed()));
            it.set("OIDC_CLIENT_ID", "ba");
            it.set("OIDC_CLIENT_SECRET", "geheim");
        }),
        ("model", Some(Warning), false, |it| {
            it.set("OPENAI_BASE_URL", format!("http://{}/v1/", closed()));
            it.set("MODEL", "m");
        }),
        ("model", Some(Failed), false, |it| it.set("BA_COPILOT__MODEL__PROVIDER", "openai")),
        // The proxy is asked for a connection, not the address behind it.
        ("model", Some(Warning), false, |it| {
            it.set("OPENAI_BASE_URL", "http://models.example/v1/");
            it.set("HTTP_PROXY", format!("http://u:geheim@{}", closed()));
        }),
        ("", None, false, |it| {
            let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = proxy.local_addr().expect("an address");
            it.set("OPENAI_BASE_URL", "http://models.example/v1/");
            it.set("http_proxy", format!("http://u:geheim@{address}"));
            it.resources.push(Box::new(proxy));
        }),
        ("configuration", Some(Failed), false, |it| it.set("HTTPS_PROXY", "ftp://u:geheim@proxy")),
        ("traces", Some(Warning), false, |it| {
            it.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", closed()));
            it.set("OTEL_EXPORTER_OTLP_HEADERS", "x-key=geheim");
        }),
        ("error-reports", Some(Warning), false, |it| {
            it.set("SENTRY_DSN", format!("http://geheim@{}/1", closed()));
        }),
        ("", None, false, |it| {
            let server = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = server.local_addr().expect("an address");
            it.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
            it.set("SENTRY_DSN", format!("http://geheim@{address}/1"));
            it.resources.push(Box::new(server));
        }),
        ("configuration", Some(Failed), false, |it| it.set("SENTRY_DSN", "https://geheim.example.com/1")),
        ("configuration", Some(Failed), false, |it| {
            it.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:geheim@127.0.0.1:4318");
        }),
        ("", None, false, |it| {
            let server = TcpListener::bind("127.0.0.1:0").expect("a port");
            it.set("OPENAI_BASE_URL", format!("http://{}/v1/", server.local_addr().expect("an address")));
            it.set("MODEL", "m");
            it.resources.push(Box::new(server));
        }),
        ("breached-passwords", Some(Failed), false, |it| breached(it, None)),
        ("breached-passwords", Some(Failed), false, |it| breached(it, Some(&[2, 1]))),
        ("breached-passwords", Some(Failed), false, |it| breached(it, Some(&[]))),
        ("", None, false, |it| breached(it, Some(&[1, 2, 3]))),
        ("backup", Some(Warning), true, |it| fs::remove_dir_all(it.data.join("backups")).expect("removed")),
        ("backup", Some(Warning), true, |it| it.back_up(0, None)),
        ("backup", Some(Warning), true, |it| it.back_up(48, Some(true))),
        ("backup", Some(Failed), true, |it| it.back_up(0, Some(false))),
        ("backup", Some(Failed), true, |it| {
            let backups = it.data.join("backups");
            fs::remove_dir_all(&backups).and_then(|()| fs::write(backups, "not a folder")).expect("written");
        }),
    ];
    for (id, status, team, spoil) in table {
        let mut setup = Setup::healthy(*team, None).await;
        spoil(&mut setup);
        let mut expected: Vec<(&str, Status)> = status.iter().map(|status| (*id, *status)).collect();
        if *id == "secret-key" && setup.variables.contains_key("REDIS_URL") {
            expected.push(("redis", Failed));
        }
        check(id, &setup, &expected).await;
    }
}

fn breached(setup: &mut Setup, sums: Option<&[u8]>) {
    let file = setup.folder.path().join("breached");
    if let Some(sums) = sums {
        let lines: String = sums.iter().map(|sum| format!("{sum:040X}:7\n")).collect();
        fs::write(&file, lines).expect("written");
    }
    setup.set("BA_COPILOT__ACCOUNTS__BREACHED_PASSWORDS", file.display().to_string());
}

/// Changes to the database made with another program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_database_is_found_and_nothing_else() {
    use Status::{Failed, Warning};
    const JOB: &str =
        "insert into jobs (id, kind, payload, status, attempts, run_at, created_at, updated_at)";
    let waiting = format!("{JOB} values ('j', 'generate', '', 'waiting', 0, 1, 1, 1)");
    let left = format!("{JOB} values ('j', 'generate', '', 'running', 1, 1, 1, 1)");
    let done = format!("{JOB} values ('j', 'generate', '', 'done', 1, 1, 1, 1)");
    let table: [(&str, Option<Status>, &[&str]); 11] = [
        ("", None, &[&done]),
        ("jobs", Some(Warning), &[&waiting]),
        ("jobs", Some(Warning), &[&left]),
        ("journal-mode", Some(Warning), &["pragma journal_mode = delete"]),
        ("schema", Some(Warning), &["delete from _sqlx_migrations where version = 10"]),
        (
            "schema",
            Some(Failed),
            &[
                "insert into _sqlx_migrations select 99, description, installed_on, success, checksum, execution_time \
               from _sqlx_migrations where version = 1",
            ],
        ),
        ("schema", Some(Failed), &["update _sqlx_migrations set checksum = x'00' where version = 3"]),
        (
            "foreign-keys",
            Some(Failed),
            &[
                "insert into jobs (id, kind, project_id, payload, status, attempts, run_at, created_at, updated_at) \
               values ('j', 'generate', 'nowhere', '', 'done', 1, 1, 1, 1)",
            ],
        ),
        (
            "clock",
            Some(Failed),
            &["insert into audit_events (id, at, action, subject, details) \
               values ('e', 9000000000000000, 'a', 's', '{}')"],
        ),
        ("sealed", Some(Failed), &["insert into data_keys (id, sealed, created_at) values ('d', 'AAAA', 1)"]),
        ("integrity", Some(Failed), &[]),
    ];
    for (id, status, statements) in table {
        let setup = Setup::healthy(false, None).await;
        setup.sql(statements).await;
        if id == "integrity" {
            damage(&setup, "glossary_terms").await;
        }
        let expected: Vec<_> = status.map(|status| (id, status)).into_iter().collect();
        check(&format!("{id} {statements:?}"), &setup, &expected).await;
    }
    // With a different key than the one used for encryption, and with the correct key again.
    for (disable, key, expected) in [
        ("select 1", false, vec![]),
        ("update webhooks set disabled_at = 1", false, vec![("webhooks", Warning)]),
        ("select 1", true, vec![("sealed", Failed)]),
    ] {
        let mut setup = Setup::healthy(false, None).await;
        let app = setup.app().await;
        let events = ["*".to_owned()];
        create_webhook(&app, &Caller::local(), "default", "https://example.com/hook", &events)
            .await
            .expect("a webhook");
        app.store.expect("a store").close().await;
        setup.sql(&[disable]).await;
        if key {
            setup.set("SECRET_KEY", STRONG);
        }
        check(disable, &setup, &expected).await;
    }
}

/// Overwrites the first page of a table.
async fn damage(setup: &Setup, table: &str) {
    let url = format!("sqlite:{}", setup.database().display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a connection");
    let page: i64 = sqlx::query_scalar("select rootpage from sqlite_schema where name = $1")
        .bind(table)
        .fetch_one(&mut connection)
        .await
        .expect("a page");
    let size: i64 = sqlx::query_scalar("select page_size from pragma_page_size")
        .fetch_one(&mut connection)
        .await
        .expect("a size");
    connection.close().await.expect("closed");
    let (page, size) = (u64::try_from(page).expect("a page"), u64::try_from(size).expect("a size"));
    let mut file = fs::File::options().write(true).open(setup.database()).expect("a file");
    file.seek(SeekFrom::Start((page - 1) * size)).expect("a place");
    file.write_all(&[0xff; 512]).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reachable_redis_is_no_finding() {
    let Some(redis) = Redis::start() else { return };
    let mut setup = Setup::healthy(false, None).await;
    setup.set("REDIS_URL", redis.url());
    setup.set("SECRET_KEY", STRONG);
    setup.set("BA_COPILOT__REDIS__TIMEOUT_MS", "1000");
    check("a Redis", &setup, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_postgres_is_found_and_nothing_else() {
    use Status::{Failed, Warning};
    // It blocks on a separate runtime.
    let Some(mut postgres) = block_in_place(Postgres::start) else { return };
    let url = postgres.url();
    let of = |name: &str| url.replace("/postgres", &format!("/{name}"));
    let ask = async |at: &str, statements: &[&str]| {
        let mut connection = PgConnection::connect(at).await.expect("a connection");
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe((*statement).to_owned()))
                .execute(&mut connection)
                .await
                .expect(statement);
        }
        connection.close().await.expect("closed");
    };
    ask(
        &url,
        &[
            "create database good",
            "create database ascii encoding 'SQL_ASCII' locale 'C' template template0",
            "create database standby",
            "create role clerk login",
        ],
    )
    .await;
    let mut setup = Setup::healthy(true, Some(&of("good"))).await;
    check("a healthy set-up", &setup, &[]).await;
    setup.clock = || now() + Duration::from_secs(600);
    check("a wrong clock", &setup, &[("postgres-clock", Failed)]).await;
    setup.clock = now;
    setup.set("DATABASE_URL", of("good").replace("tests@", "clerk@"));
    check("tables of another user", &setup, &[("postgres-rights", Failed)]).await;
    setup.set("DATABASE_URL", of("nowhere").replace("tests@", "tests:geheim@"));
    check("no such database", &setup, &[("database", Failed)]).await;
    setup.set("DATABASE_URL", of("good"));
    setup.variables.remove("SECRET_KEY");
    check("no shared secret key", &setup, &[("secret-key", Warning)]).await;

    let ascii = Setup::healthy(true, Some(&of("ascii"))).await;
    check("an encoding with few characters", &ascii, &[("postgres-encoding", Failed)]).await;
    let standby = Setup::healthy(true, Some(&of("standby"))).await;
    ask(&url, &["alter database standby set default_transaction_read_only = on"]).await;
    check("a read-only server", &standby, &[("postgres-rights", Failed)]).await;

    setup.set("SECRET_KEY", STRONG);
    ask(&url, &["alter system set max_connections = 12"]).await;
    postgres.stop_fast();
    check("an unreachable server", &setup, &[("database", Failed)]).await;
    block_in_place(|| postgres.start_again());
    check("too few connections", &setup, &[("postgres-connections", Warning)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_is_found() {
    let Some(disk) = SmallDisk::new("24m") else { return };
    let mut setup = Setup::healthy(false, None).await;
    setup.set("BA_COPILOT__DATA__DIR", disk.0.path().display().to_string());
    check("a small disk", &setup, &[("disk-space", Status::Failed)]).await;
}

struct CommandResult {
    code: Option<i32>,
    json: Value,
    text: String,
}

/// Runs the real program through a shell, which sets properties of the process.
fn doctor(setup: &Setup, shell: &str, arguments: &[&str]) -> CommandResult {
    let output = Command::new("sh")
        .args(["-c", &format!("{shell} \"$@\""), "sh", BINARY, "doctor"])
        .args(arguments)
        .current_dir(setup.folder.path())
        .env_clear()
        .envs(&setup.variables)
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let noise = String::from_utf8_lossy(&output.stderr);
    assert_eq!(noise, "", "{text}");
    CommandResult { code: output.status.code(), json: serde_json::from_str(&text).unwrap_or_default(), text }
}

fn reported(ran: &CommandResult) -> Vec<(String, String)> {
    let checks = ran.json["checks"].as_array().unwrap_or_else(|| panic!("{}", ran.text));
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let bad = checks.iter().filter(|line| ["warning", "problem"].contains(&word(line, "status").as_str()));
    bad.map(|line| (word(line, "id"), word(line, "status"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_sets_the_exit_code_and_fixes_safe_problems() {
    let setup = Setup::healthy(false, None).await;
    let good = doctor(&setup, "exec", &["--json"]);
    assert_eq!((good.code, reported(&good)), (Some(0), vec![]), "{}", good.text);
    assert_eq!(good.json["status"], "ok");
    let text = doctor(&setup, "exec", &[]);
    assert!(text.text.contains(" 0 warnings, 0 problems, "), "{}", text.text);

    // Properties of the process.
    for (shell, id, status, code) in [
        ("ulimit -n 200; exec", "open-files", "warning", 0),
        ("TMPDIR=/proc/self exec env TMPDIR=/proc/self", "temp-folder", "problem", 1),
    ] {
        let ran = doctor(&setup, shell, &["--json"]);
        assert_eq!(reported(&ran), [(id.to_owned(), status.to_owned())], "{}", ran.text);
        assert_eq!((ran.code, ran.json["status"].as_str()), (Some(code), Some(status)));
    }

    // Permissions are corrected, and nothing else is changed.
    for (path, mode) in
        [(&setup.data, 0o755), (&setup.database(), 0o664), (&setup.data.join("secret.key"), 0o604)]
    {
        rights(path, mode);
    }
    let loose = doctor(&setup, "exec", &["--json"]);
    let ids: BTreeSet<String> = reported(&loose).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["data-rights", "database-files", "secret-key-file"].map(str::to_owned).into());
    assert_eq!(loose.code, Some(1));
    let mended = doctor(&setup, "exec", &["--json", "--fix"]);
    assert_eq!((mended.code, reported(&mended)), (Some(0), vec![]), "{}", mended.text);
    let lines = mended.json["checks"].as_array().expect("checks");
    assert_eq!(lines.iter().filter(|line| line["fixed"].is_string()).count(), 3);
    assert_eq!(reported(&doctor(&setup, "exec", &["--json"])), []);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&setup.data), mode(&setup.data.join("secret.key"))), (0o700, 0o600));

    // A missing folder is created, and nothing in it.
    let new = setup.folder.path().join("new").display().to_string();
    assert_eq!(doctor(&setup, "exec", &["--json", "--data", &new]).code, Some(0));
    assert!(!Path::new(&new).exists(), "without `--fix` nothing is created");
    doctor(&setup, "exec", &["--fix", "--data", &new]);
    assert_eq!((mode(Path::new(&new)), fs::read_dir(&new).expect("there").count()), (0o700, 0));
}

/// Runs `doctor` as a different user than the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inaccessible_data_folder_is_one_finding() {
    let setup = Setup::healthy(false, None).await;
    rights(setup.folder.path(), 0o755);
    let other = "exec setpriv --reuid 65534 --regid 65534 --clear-groups";
    let may = Command::new("sh")
        .args(["-c", &format!("{other} \"$@\""), "sh", BINARY, "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may {
        skip("another user cannot be assumed: setpriv needs root");
        return;
    }
    let ran = doctor(&setup, other, &["--json"]);
    assert_eq!(reported(&ran), [("data-writable".to_owned(), "problem".to_owned())], "{}", ran.text);
    assert_eq!(ran.code, Some(1));
}
