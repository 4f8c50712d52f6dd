//! Errors name a remedy, and never contain data of a row or a URL.

use std::error::Error;
use std::time::Duration;

use sqlx::Executor;
use store::{ConnectOptions, NewGeneration, Store, StoreError};

use crate::databases::{PostgresDatabase, SqliteFile, a_generation, generation, record, server_url};

const SECRET: &str = "hunter2-canary";

/// All text that could be logged: the message, the debug format, and those of each cause.
fn all_texts(error: &StoreError) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(&format!("{error} {error:?}"));
        cause = error.source();
    }
    said
}

async fn refusal(url: &str) -> StoreError {
    let options = ConnectOptions { acquire_timeout: Duration::from_secs(5), ..ConnectOptions::default() };
    let error = Store::connect(url, &options).await.unwrap_err();
    let said = all_texts(&error);
    assert!(!said.contains(SECRET), "{said}");
    error
}

#[tokio::test]
async fn password_in_url_is_never_repeated() {
    // Port 1 belongs to an obsolete service, so the connection is refused.
    let error = refusal(&format!("postgres://user:{SECRET}@127.0.0.1:1/db")).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");

    for broken in [
        format!("postgres://user:{SECRET}@127.0.0.1:notaport/db"),
        format!("postgres://user:{SECRET}@[::1/db"),
        format!("postgres://127.0.0.1/db?sslmode={SECRET}"),
        format!("postgres:{SECRET}"),
        format!("postgress://user:{SECRET}@127.0.0.1/db"),
        format!("{SECRET}://"),
        SECRET.to_owned(),
    ] {
        refusal(&broken).await;
    }
}

#[tokio::test]
async fn silent_server_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://user:{SECRET}@{}/db", silent.local_addr().unwrap());
    let options = ConnectOptions { acquire_timeout: Duration::from_millis(100), ..ConnectOptions::default() };
    let gave_up = Store::connect(&url, &options).await.unwrap_err();
    assert!(all_texts(&gave_up).contains("did not answer the first connection in time"), "{gave_up}");
}

#[tokio::test]
async fn refused_login_error_has_no_password() {
    let Some(server) = server_url() else {
        return;
    };
    let (_, host) = server.rsplit_once('@').unwrap();
    let refused = refusal(&format!("postgres://nobody:{SECRET}@{host}")).await;
    assert!(refused.to_string().contains("user name or password"), "{refused}");
    let (before, _) = server.rsplit_once('/').unwrap();
    let refused = refusal(&format!("{before}/no_such_database")).await;
    assert!(refused.to_string().contains("create it"), "{refused}");
}

#[tokio::test]
async fn debug_of_store_has_no_url() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let url = database.url();
    let store = Store::connect(&url, &ConnectOptions::default()).await.unwrap();
    assert_eq!(format!("{store:?}"), "Store { pool: Pool(Postgres) }");
    store.close().await;
    database.drop().await;
}

/// A constraint that fails on a row of canaries: the error of the driver would quote the row.
const STRICTER: &str = "create unique index canaries on generations (request)";

fn canary(id: &str) -> NewGeneration {
    NewGeneration { request: SECRET.into(), model: SECRET.into(), ..a_generation(id, 0) }
}

async fn fails_without_quoting_the_row(store: &Store) {
    record(store, canary("g-1"), None).await.unwrap();
    let taken = record(store, canary("g-1"), None).await.unwrap_err();
    let internal = record(store, canary("g-2"), None).await.unwrap_err();
    assert!(matches!(internal, StoreError::Internal { .. } | StoreError::Conflict { .. }), "{internal:?}");
    for error in [taken, internal] {
        let said = all_texts(&error);
        assert!(!said.contains(SECRET), "{said}");
    }
    assert!(store.find_generation(&generation("g-2")).await.is_err());
}

#[tokio::test]
async fn sqlite_errors_quote_no_row() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    file.raw().await.execute(STRICTER).await.unwrap();
    fails_without_quoting_the_row(&store).await;
}

#[tokio::test]
async fn postgres_errors_quote_no_row() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let store = crate::databases::migrated(&database.url()).await;
    let mut raw = database.raw().await;
    raw.execute(STRICTER).await.unwrap();
    fails_without_quoting_the_row(&store).await;
    // A failing check constraint: PostgreSQL adds "Failing row contains (…)".
    raw.execute("drop index canaries").await.unwrap();
    raw.execute("alter table generations add constraint no_g3 check (id <> 'g-3')").await.unwrap();
    let internal = record(&store, canary("g-3"), None).await.unwrap_err();
    let said = all_texts(&internal);
    assert!(said.contains("23514") && said.contains("no_g3") && !said.contains(SECRET), "{said}");
    store.close().await;
    database.drop().await;
}
