//! PostgreSQL behind a pooler in transaction mode.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};
use store::{Backend, ConnectOptions, PageRequest, Pooling, Store, StoreError};
use test_support::{PATIENCE, Pooler};

use crate::databases::{NOON, PostgresDatabase, an_event, migrated};
use crate::story;

/// A database of its own, and a pooler in front of its server.
async fn pooled_database() -> Option<(PostgresDatabase, Pooler)> {
    let database = PostgresDatabase::new().await?;
    let url = database.url();
    let (_, address) = url.rsplit_once('@').unwrap();
    let pooler = Pooler::start(address.split('/').next().unwrap()).unwrap();
    Some((database, pooler))
}

#[tokio::test(flavor = "multi_thread")]
async fn story_through_a_pooler() {
    let Some((database, pooler)) = pooled_database().await else { return };
    let url = pooler.url_of(&database.url());
    story::check_all(&url, Backend::Postgres).await;
    // Nothing is left on the connections of the server, which the next client gets.
    let mut client = PgConnection::connect(&url).await.unwrap();
    for _ in 0..6 {
        let left = sqlx::raw_sql("select count(*) from pg_prepared_statements").fetch_one(&mut client).await;
        assert_eq!(left.unwrap().get::<i64, _>(0), 0);
    }
    client.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pooler_is_detected_and_parallel_work_succeeds() {
    let Some((database, pooler)) = pooled_database().await else { return };
    let (direct, pooled) = (database.url(), pooler.url_of(&database.url()));
    let store = migrated(&direct).await;
    assert!(!store.is_pooled());
    store.close().await;

    // Without the detection the pooler does what makes poolers dangerous, so the rest of this test means something.
    let named = ConnectOptions { pooling: Pooling::None, ..ConnectOptions::default() };
    let store = Store::connect(&pooled, &named).await.unwrap();
    let failed = store.list_generations(&PageRequest::first(4)).await.unwrap_err();
    let StoreError::Misconfigured { problem } = failed else { panic!("{failed:?}") };
    assert!(problem.contains("SQLSTATE 26000") && problem.contains("data.pooler"), "{problem}");
    store.close().await;

    for pooling in [Pooling::Auto, Pooling::Transaction] {
        let options = ConnectOptions { pooling, ..ConnectOptions::default() };
        let store = Store::connect(&pooled, &options).await.unwrap();
        assert!(store.is_pooled());
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..12 {
            let store = store.clone();
            workers.spawn(async move {
                for count in 0..12 {
                    let subject = format!("{pooling:?}-{worker}-{count}");
                    store.record_audit_event(&an_event("busy", &subject, count)).await.unwrap();
                    store.list_generations(&PageRequest::first(4)).await.unwrap();
                    assert!(store.find_newest_change().await.unwrap() >= Some(NOON));
                    store.ping(Duration::from_secs(60)).await.unwrap();
                }
            });
        }
        workers.join_all().await;
        store.close().await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_need_a_direct_connection() {
    let Some((database, pooler)) = pooled_database().await else { return };
    let store = migrated(&pooler.url_of(&database.url())).await;
    let refused = store.listen(None).await.unwrap_err().to_string();
    assert!(refused.contains("DATABASE_DIRECT_URL"), "{refused}");
    let mut notifications = store.listen(Some(&database.url())).await.unwrap();
    store.record_audit_event(&an_event("a", "s", 0)).await.unwrap();
    tokio::time::timeout(PATIENCE, notifications.next()).await.expect("a notification").unwrap();
    drop(notifications);
    store.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_process_has_the_backup_lock() {
    let Some((database, pooler)) = pooled_database().await else { return };
    let store = migrated(&pooler.url_of(&database.url())).await;
    let first = store.lock_backups().await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.lock_backups().await.map(drop) }
    });
    let mut direct = database.raw().await;
    loop {
        let blocked = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                       and database = (select oid from pg_database where datname = current_database())";
        if sqlx::query_scalar::<_, i64>(blocked).fetch_one(&mut direct).await.unwrap() == 1 {
            break;
        }
    }
    assert!(!waiting.is_finished());
    drop(first);
    tokio::time::timeout(PATIENCE, waiting).await.expect("the lock").unwrap().unwrap();
    store.close().await;
    direct.close().await.unwrap();
    database.drop().await;
}
