//! Inspecting a database without changing it, on both databases.

use sqlx::Connection;
use store::{Backend, ConnectOptions, OpenWork, Store, StoreError, TimeUs};

use crate::databases::{NOON, PostgresDatabase, SqliteFile, an_event, migrated};

const LOOK: ConnectOptions = ConnectOptions {
    max_connections: 2,
    acquire_timeout: std::time::Duration::from_secs(10),
    busy_timeout: std::time::Duration::from_secs(5),
    read_only: true,
    pooling: store::Pooling::Auto,
};

#[tokio::test]
async fn diagnosis_on_sqlite() {
    let file = SqliteFile::new();
    file.migrated().await.close().await;
    check_all(&file.url(), Backend::Sqlite).await;
}

#[tokio::test]
async fn diagnosis_on_postgres() {
    if let Some(database) = PostgresDatabase::new().await {
        migrated(&database.url()).await.close().await;
        check_all(&database.url(), Backend::Postgres).await;
        database.drop().await;
    }
}

async fn check_all(url: &str, backend: Backend) {
    let store = Store::connect(url, &LOOK).await.unwrap();
    assert!(store.check_schema().await.unwrap().is_current());
    assert_eq!(store.find_damage().await, Ok(vec![]));
    assert_eq!(store.find_dangling_rows().await, Ok(vec![]));
    assert_eq!(store.find_newest_change().await, Ok(None));
    let nothing = OpenWork {
        jobs: 0,
        late_jobs: 0,
        abandoned_jobs: 0,
        webhooks: 0,
        disabled_webhooks: 0,
        failing_webhooks: 0,
    };
    assert_eq!(store.find_open_work(NOON).await, Ok(nothing));
    match (backend, store.find_postgres_facts().await.unwrap()) {
        (Backend::Sqlite, None) => {
            let refused = store.record_audit_event(&an_event("a", "s", 0)).await;
            assert!(matches!(refused, Err(StoreError::Misconfigured { .. })), "{refused:?}");
        }
        (Backend::Postgres, Some(facts)) => {
            assert!(facts.version >= 150_000 && facts.encoding == "UTF8", "{facts:?}");
            assert!(facts.connections >= 1 && facts.max_connections > facts.connections, "{facts:?}");
            assert!(facts.may_create && !facts.read_only && facts.tables_out_of_reach == 0, "{facts:?}");
            assert!(facts.now > NOON, "{facts:?}");
        }
        other => panic!("{other:?}"),
    }
    let writer = migrated(url).await;
    writer.record_audit_event(&an_event("a", "s", 7)).await.unwrap();
    let newest = store.find_newest_change().await.unwrap();
    assert_eq!(newest, Some(NOON.plus_seconds(7)));
    writer.close().await;
    store.close().await;
}

#[tokio::test]
async fn read_only_connection_creates_no_file_and_sets_no_mode() {
    let file = SqliteFile::new();
    assert!(Store::connect(&file.url(), &LOOK).await.is_err());
    assert!(!std::path::Path::new(&file.path()).exists());
    file.migrated().await.close().await;
    let mut raw = file.raw().await;
    sqlx::query("pragma journal_mode = delete").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let store = Store::connect(&file.url(), &LOOK).await.unwrap();
    assert!(store.find_open_work(TimeUs::from_micros(0)).await.is_ok());
    store.close().await;
    let head = std::fs::read(file.path()).unwrap();
    assert_eq!(head[18..20], [1, 1], "the journal mode was changed");
}
