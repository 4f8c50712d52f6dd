//! `.env` files created by another user, and databases of other programs.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::{
    cli::{Ran, run_in},
    process::Server,
};

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    run_in(folder, arguments, input.as_bytes(), variables)
}

fn dotenv(folder: &Path, text: &str) {
    fs::write(folder.join(".env"), text).expect("written");
    fs::set_permissions(folder.join(".env"), fs::Permissions::from_mode(0o644)).expect("set");
}

/// The messages of an agent that starts `mcp` and validates a diagram.
fn agent() -> String {
    let client = json!({"name": "agent", "version": "1"});
    [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client
        }}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "validate_mermaid", "arguments": {"code": "flowchart LR\n a --> b"}
        }}),
    ]
    .iter()
    .map(|message| format!("{message}\n"))
    .collect()
}

#[test]
fn text_commands_read_no_dotenv() {
    let folder = TempDir::new().expect("a folder");
    let here = folder.path();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // Counted before the connection is closed, so before the caller detects the missing response.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    fs::write(here.join("private"), "geheim").expect("written");
    fs::write(here.join("a.mmd"), "flowchart LR\n a --> b\n").expect("written");
    let hostile = [
        ("MCP_SERVER_URL", format!("http://{address}/mcp")),
        ("MCP_TOKEN_FILE", "private".to_owned()),
        ("AI_SERVICE_URL", format!("http://{address}")),
        ("AI_SERVICE_TOKEN_FILE", "private".to_owned()),
        ("OPENAI_BASE_URL", format!("http://{address}/v1/")),
        ("OPENAI_API_KEY_FILE", "private".to_owned()),
        ("DATABASE_URL", "sqlite:stolen.db".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("SENTRY_DSN", format!("http://key@{address}/1")),
        ("BA_COPILOT__DATA__DIR", "stolen".to_owned()),
    ];
    dotenv(here, &hostile.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>());
    let below = here.join("a/b");
    fs::create_dir_all(&below).expect("a folder");
    fs::copy(here.join("a.mmd"), below.join("a.mmd")).expect("copied");

    let commands: [(&[&str], &str, &str); 8] = [
        (&["check", "a.mmd"], "", ""),
        (&["repair", "a.mmd"], "", "a --> b"),
        (&["render", "a.mmd", "-o", "a.svg"], "", ""),
        (&["compare", "a.mmd", "a.mmd"], "", ""),
        (&["draft", "--kind", "class", "-"], "A customer places orders.", "class"),
        (&["mcp"], &agent(), "\"valid\":true"),
        (&["kinds"], "", "flowchart"),
        (&["explain", "FLOW003"], "", "FLOW003"),
    ];
    for (arguments, input, expected) in commands {
        for folder in [here, &below] {
            let ran = run(folder, arguments, &[], input);
            assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
            assert!(ran.out.contains(expected), "{arguments:?}: {}", ran.out);
            assert!(!ran.err.contains(".env") && !ran.err.contains("geheim"), "{arguments:?}: {}", ran.err);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 0, "{arguments:?} called the address in `.env`");
    }
    assert!(!here.join("stolen").exists() && !here.join("stolen.db").exists());
    // The same variables of the process take effect, so the listener would detect a call.
    let own: Vec<(&str, &str)> = hostile.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run(here, &["draft", "--kind", "class", "-"], &own, "A customer places orders.");
    assert!(calls.load(Ordering::SeqCst) > 0);
}

#[test]
fn operator_commands_read_the_dotenv_of_this_folder_and_report_it() {
    let folder = TempDir::new().expect("a folder");
    let here = folder.path();
    dotenv(here, "MODEL=geheim-model\nSECRET_KEY_FILE=key\nPATH=/evil\nBA_COPILOT__DATA__DIR=kept\n");
    fs::write(here.join("key"), "k".repeat(43)).expect("written");
    let said = format!(
        "Settings are read from {}: BA_COPILOT__DATA__DIR, MODEL, SECRET_KEY_FILE",
        fs::canonicalize(here).expect("a path").join(".env").display()
    );
    for arguments in [
        &["migrate"][..],
        &["user", "add", "ada@example.com"],
        &["user", "list"],
        &["token", "list", "--user", "ada@example.com"],
        &["backup", "create"],
        &["backup", "list"],
        &["secrets", "rotate"],
        &["config", "show"],
        &["config", "check"],
    ] {
        let ran = run(here, arguments, &[], "");
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(&said) && !ran.err.contains("geheim"), "{arguments:?}: {}", ran.err);
        let quiet = run(here, &[arguments, &["--quiet"]].concat(), &[], "");
        assert!(!quiet.err.contains(".env"), "{arguments:?}: {}", quiet.err);
    }
    assert!(here.join("kept/ba-copilot.db").is_file());
    // In a subfolder the file has no effect, and here a variable of the process has priority.
    let below = here.join("below");
    fs::create_dir(&below).expect("a folder");
    let shown = run(&below, &["config", "show"], &[], "");
    assert!(shown.err.is_empty() && !shown.out.contains("geheim"), "{}{}", shown.err, shown.out);
    let own = run(here, &["config", "show"], &[("BA_COPILOT__MODEL__MODEL", "own")], "");
    assert!(!own.out.contains("geheim") && own.out.contains("own"), "{}", own.out);

    let data = TempDir::new().expect("a folder");
    dotenv(data.path(), "BA_COPILOT__SERVER__RELEASE=from-dotenv\nMODEL=geheim-model\n");
    let server = Server::start(data.path(), &[]);
    assert!(server.request("GET", "/health", "").expect("health").1.contains("from-dotenv"));
    let log = server.logged();
    assert!(log.contains("/.env: BA_COPILOT__SERVER__RELEASE, MODEL") && !log.contains("geheim"), "{log}");
}

#[test]
fn dotenv_writable_by_others_is_rejected() {
    let of_another_user = |path: &Path| {
        if rustix::process::geteuid().is_root() {
            fs::write(path, "MODEL=geheim\n").expect("written");
            std::os::unix::fs::chown(path, Some(65_534), None).expect("given away");
        } else {
            symlink("/etc/passwd", path).expect("a link");
        }
    };
    let open_to_all = |path: &Path| {
        fs::write(path, "MODEL=geheim\n").expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("set");
    };
    let broken = |path: &Path| fs::write(path, "MODEL geheim\n").expect("written");
    let make: [(&dyn Fn(&Path), &str); 3] = [
        (&of_another_user, "belongs to another user"),
        (&open_to_all, "chmod go-w"),
        (&broken, ".env:1 cannot be used: the line does not have the form NAME=value"),
    ];
    for (make, words) in make {
        let folder = TempDir::new().expect("a folder");
        let here = folder.path();
        make(&here.join(".env"));
        for arguments in [
            &["serve"][..],
            &["user", "list"],
            &["user", "add", "ada@example.com"],
            &["migrate"],
            &["backup", "create"],
            &["secrets", "rotate"],
        ] {
            let ran = run(here, arguments, &[], "");
            assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains(words) && ran.err.contains("/.env"), "{arguments:?}: {}", ran.err);
            assert!(!ran.err.contains("geheim"), "{}", ran.err);
        }
        assert!(!here.join("data").exists(), "something was created");
        let checked = run(here, &["config", "check"], &[], "");
        assert!(checked.code == 1 && checked.out.contains(words), "{}{}", checked.out, checked.err);
        // Commands that read no such file still work.
        assert_eq!(run(here, &["kinds"], &[], "").code, 0);
    }
}

async fn statements(file: &Path, statements: &[&str]) {
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    for statement in statements {
        sqlx::query(AssertSqlSafe(*statement)).execute(&mut connection).await.expect("done");
    }
    connection.close().await.expect("closed");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn foreign_database_is_not_changed() {
    let others: [&[&str]; 3] = [
        &["create table users (name text)", "insert into users values ('x')"],
        // A database of another program with a similar migration history.
        &[
            "create table _sqlx_migrations (version bigint primary key, description text not null, \
             installed_on timestamp, success boolean not null, checksum blob not null, \
             execution_time bigint not null)",
            "insert into _sqlx_migrations values (20240101120000, 'create users', null, true, x'00', 0)",
            "create table users (name text)",
        ],
        // A database of another program with a different kind of history.
        &["create table _sqlx_migrations (id integer)"],
    ];
    for other in others {
        let folder = TempDir::new().expect("a folder");
        let here = folder.path();
        fs::create_dir(here.join("theirs")).expect("a folder");
        statements(&here.join("theirs/app.db"), other).await;
        let before = fs::read(here.join("theirs/app.db")).expect("a file");
        dotenv(here, "DATABASE_URL=sqlite:theirs/app.db\n");
        for arguments in [
            &["user", "list"][..],
            &["token", "list", "--user", "ada@example.com"],
            &["migrate", "--dry-run"],
            &["migrate"],
            &["user", "add", "ada@example.com"],
            &["secrets", "rotate"],
            &["backup", "create", "--to", "backups"],
            &["db", "move", "sqlite:theirs/app.db", "sqlite:new.db"],
            &["db", "move", "sqlite:new.db", "sqlite:theirs/app.db"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            if arguments[0] == "db" {
                let _ = fs::remove_file(here.join("new.db"));
                let made = run(here, &["migrate"], &[("DATABASE_URL", "sqlite:new.db")], "");
                assert_eq!(made.code, 0, "{}", made.err);
            }
            let ran = run(here, arguments, &[], "");
            assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains("belongs to another program"), "{arguments:?}: {}", ran.err);
            assert_eq!(fs::read(here.join("theirs/app.db")).expect("a file"), before, "{arguments:?}");
            assert_eq!(names(&here.join("theirs")), ["app.db"], "{arguments:?}");
        }
        let doctor = run(here, &["doctor"], &[], "");
        assert!(doctor.code == 1 && doctor.out.contains("another program"), "{}", doctor.out);
        assert_eq!(fs::read(here.join("theirs/app.db")).expect("a file"), before);
    }
}

#[tokio::test]
async fn read_commands_change_no_database() {
    let folder = TempDir::new().expect("a folder");
    let here = folder.path();
    let reading: [&[&str]; 2] = [&["user", "list"], &["token", "list", "--user", "ada@example.com"]];
    for arguments in reading {
        let ran = run(here, arguments, &[], "");
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("There is no database at"), "{arguments:?}: {}", ran.err);
    }
    let dry = run(here, &["migrate", "--dry-run"], &[], "");
    assert!(dry.code == 1 && dry.out.contains("would apply 0001_"), "{}{}", dry.out, dry.err);
    assert!(!here.join("data").exists(), "something was created");

    assert_eq!(run(here, &["user", "add", "ada@example.com"], &[], "").code, 0);
    let file = here.join("data/ba-copilot.db");
    let version = "(select max(version) from _sqlx_migrations)";
    let newer = format!(
        "insert into _sqlx_migrations select 900, 'newer', installed_on, success, checksum, \
         execution_time from _sqlx_migrations where version = {version}"
    );
    let older = format!("delete from _sqlx_migrations where version = {version}");
    for (change, words) in [
        (newer.as_str(), "run the newer program"),
        // First without the newer migration, then without one of the known migrations.
        (older.as_str(), ""),
        (older.as_str(), "is older than this program's"),
    ] {
        statements(&file, &[change, "pragma wal_checkpoint(truncate)"]).await;
        let before = fs::read(&file).expect("a file");
        for arguments in reading {
            let ran = run(here, arguments, &[], "");
            assert_eq!(ran.code, if words.is_empty() { 0 } else { 2 }, "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
            assert_eq!(fs::read(&file).expect("a file"), before, "{arguments:?}");
        }
    }
}
