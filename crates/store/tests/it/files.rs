//! The SQLite file: its permissions, rejected URLs, and the behaviour when it is deleted.

use std::time::Duration;

use store::{ConnectOptions, ProjectId, Store, StoreError, Term, TermId};

use crate::databases::{NOON, SqliteFile, an_event};

const SECOND: Duration = Duration::from_secs(1);

async fn refusal(url: &str) -> String {
    match Store::connect(url, &ConnectOptions::default()).await {
        Err(StoreError::Misconfigured { problem }) => problem,
        other => panic!("{url} should be refused as misconfigured, and was {other:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn database_file_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let file = SqliteFile::new();
    let store = file.migrated().await;
    let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = file.path();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&format!("{path}-wal")), 0o600);
    assert_eq!(mode(&format!("{path}-shm")), 0o600);
    assert_eq!(mode(file.folder.path().join("data").to_str().unwrap()), 0o700);
    store.close().await;
    assert!(!std::path::Path::new(&format!("{path}-wal")).exists(), "a closed store is one file");
}

#[tokio::test]
async fn in_memory_database_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:file:x?mode=memory"] {
        let problem = refusal(url).await;
        assert!(problem.contains("memory") && problem.contains("sqlite:./data/ba-copilot.db"), "{problem}");
    }
}

#[tokio::test]
async fn unusable_urls_are_refused() {
    assert!(refusal("sqlite:").await.contains("names no file"));
    assert!(refusal("sqlite:x.db?mode=ro").await.contains("no parameters"));
    assert!(refusal("mysql://root:hunter2@host/db").await.contains("must begin with sqlite: or postgres:"));
    assert!(refusal("").await.contains("must begin with"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    refusal(&format!("sqlite:{path}")).await;
    let letter = folder.path().join("letter.txt");
    std::fs::write(&letter, "Dear database, ".repeat(500)).unwrap();
    assert!(refusal(&format!("sqlite:{}", letter.display())).await.contains("not a SQLite database"));
    let below = letter.join("store.db");
    assert!(refusal(&format!("sqlite:{}", below.display())).await.contains("cannot be created"));
}

#[tokio::test]
async fn ping_fails_after_the_file_is_deleted() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    store.ping(SECOND).await.unwrap();
    std::fs::rename(file.path(), format!("{}.away", file.path())).unwrap();
    let gone = store.ping(SECOND).await.unwrap_err();
    assert!(gone.to_string().contains("deleted or replaced"), "{gone}");
    std::fs::copy(format!("{}.away", file.path()), file.path()).unwrap();
    assert!(store.ping(SECOND).await.is_err(), "a copy is a different file");
}

#[tokio::test]
async fn readers_do_not_block_and_writer_times_out() {
    let file = SqliteFile::new();
    let options = ConnectOptions { busy_timeout: Duration::from_millis(50), ..ConnectOptions::default() };
    let store = Store::connect(&file.url(), &options).await.unwrap();
    store.migrate(NOON).await.unwrap();

    let mut other = file.raw().await;
    sqlx::query("begin immediate").execute(&mut other).await.unwrap();
    store.ping(SECOND).await.unwrap();
    store.find_project(&ProjectId::default_project()).await.unwrap();
    let busy = store.migrate(NOON).await.unwrap_err();
    assert!(busy.to_string().contains("another process is writing"), "{busy}");
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    store.migrate(NOON).await.unwrap();
}

#[tokio::test]
async fn write_after_automatic_rollback_succeeds() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    // As a full disk does in the middle of a transaction.
    let mut raw = file.raw().await;
    sqlx::query("create trigger full before insert on glossary_terms begin select raise(rollback, 'disk is full'); end")
        .execute(&mut raw)
        .await
        .unwrap();
    let term = |id: &str| Term {
        id: TermId::parse(id).unwrap(),
        project_id: ProjectId::default_project(),
        term: id.to_owned(),
        folded: id.to_owned(),
        definition: "What it is.".to_owned(),
        revision: 1,
        created_at: NOON,
        updated_at: NOON,
    };
    for number in 0..3 {
        let id = format!("t-{number}");
        assert!(store.create_term(&term(&id), &an_event("term.create", &id, 0)).await.is_err());
    }
    sqlx::query("drop trigger full").execute(&mut raw).await.unwrap();
    store.create_term(&term("t-9"), &an_event("term.create", "t-9", 0)).await.unwrap();
}
