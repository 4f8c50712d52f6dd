//! Databases as companies run and copy them: PostgreSQL behind a pooler in transaction mode, and a SQLite file that was
//! copied by hand.

use std::{fs, thread};

use tempfile::TempDir;
use test_support::Pooler;

use crate::{cli::run_in, postgres::Postgres, process::Server};

const CLIENTS: usize = 6;
const GENERATIONS: usize = 12;

#[test]
fn server_behind_a_pooler_works() {
    let Some(postgres) = Postgres::start() else { return };
    let pooler = Pooler::start(&postgres.address()).expect("a pooler");
    let folder = TempDir::new().expect("a folder");
    let (pooled, direct) = (pooler.url_of(&postgres.url()), postgres.url());
    let secret = "n0t-a-secret-0123456789-abcdefghij";
    let pooled_only = [("DATABASE_URL", pooled.as_str()), ("SECRET_KEY", secret), ("PATH", "/usr/bin:/bin")];
    let both = [&pooled_only[..], &[("DATABASE_DIRECT_URL", direct.as_str())]].concat();
    for variables in [&pooled_only[..], &both] {
        let server = Server::start(folder.path(), variables);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let server = &server;
                scope.spawn(move || {
                    for number in 0..GENERATIONS {
                        let reply = server.generate(&format!("Customer {client} places orders {number}."));
                        let reply = reply.expect("a diagram");
                        assert_eq!(reply["response"]["metadata"]["validated"], true, "{reply}");
                    }
                });
            }
        });
        let (status, health) = server.request("GET", "/health", "").expect("health");
        assert_eq!(status, 200, "{health}");
        let log = server.logged();
        assert_eq!(log.contains("DATABASE_DIRECT_URL"), variables.len() == pooled_only.len(), "{log}");
    }
    for (variables, code, words) in [(&pooled_only[..], 2, "Set DATABASE_DIRECT_URL"), (&both, 0, "")] {
        let made =
            run_in(folder.path(), &["backup", "create", "--to", "backups", "--data", "."], b"", variables);
        assert_eq!(made.code, code, "{}{}", made.out, made.err);
        assert!(made.err.contains(words), "{}", made.err);
    }
    let wrong = postgres.url().replace("/postgres", "/template1");
    for (direct, words) in [
        (None, "warning  postgres-pooler"),
        (Some(direct.as_str()), "ok       postgres-pooler"),
        (Some(pooled.as_str()), "leads through a pooler in transaction mode, too"),
        (Some(wrong.as_str()), "names another database"),
    ] {
        let more: Vec<_> = direct.map(|url| ("DATABASE_DIRECT_URL", url)).into_iter().collect();
        let variables = [&pooled_only[..], &more].concat();
        let found = run_in(folder.path(), &["doctor", "--data", "."], b"", &variables);
        assert!(found.out.contains(words), "{words}: {}", found.out);
    }
}

#[test]
fn sqlite_file_copied_without_its_log_is_noticed() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    server.generate("A customer places orders.").expect("a diagram");
    let copy = TempDir::new().expect("a folder");
    fs::copy(folder.path().join("ba-copilot.db"), copy.path().join("ba-copilot.db")).expect("copied");
    for arguments in [&["serve", "--listen", "127.0.0.1:0", "--data", "."][..], &["migrate", "--data", "."]] {
        let refused = run_in(copy.path(), arguments, b"", &[]);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains("was copied without its log"), "{}", refused.err);
    }
    let found = run_in(copy.path(), &["doctor", "--data", "."], b"", &[]);
    assert_eq!(found.code, 1, "{}", found.out);
    assert!(found.out.contains("was copied without its log"), "{}", found.out);
    // With the log, everything is there.
    fs::copy(folder.path().join("ba-copilot.db-wal"), copy.path().join("ba-copilot.db-wal")).expect("copied");
    let whole = run_in(copy.path(), &["doctor", "--data", "."], b"", &[]);
    assert!(!whole.out.contains("PROBLEM  database"), "{}", whole.out);
}
