//! The schema: identical on both databases, migrated concurrently, and never downgraded.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::{Connection, Row};
use store::{ConnectOptions, DiagramFilter, ProjectId, Store, StoreError, VersionOf};

use crate::databases::{NOON, PostgresDatabase, SqliteFile, a_diagram, a_generation, a_version, record};

fn migration_files(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn both_databases_have_the_same_migrations() {
    let sqlite = migration_files("sqlite");
    assert_eq!(sqlite, migration_files("postgres"));

    let file = SqliteFile::new();
    let store = Store::connect(&file.url(), &ConnectOptions::default()).await.unwrap();
    let pending = store.check_schema().await.unwrap().pending;
    let known: BTreeSet<_> = pending.iter().map(|name| format!("{name}.sql")).collect();
    assert_eq!(sqlite, known, "every file is a migration");
}

#[test]
fn migration_starts_with_its_reason() {
    for folder in ["sqlite", "postgres"] {
        for name in migration_files(folder) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder).join(&name);
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.starts_with("-- Why: "), "{folder}/{name} must begin with `-- Why: …`");
        }
    }
}

/// Each column as `table.column type [not null]`, in the order of the expected file for both databases.
fn schema() -> Vec<&'static str> {
    let (_, columns) = include_str!("../../migrations/schema.txt").split_once("\n\n").unwrap();
    columns.lines().filter(|line| !line.starts_with('#')).collect()
}

#[tokio::test]
async fn sqlite_schema_matches_the_file() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    let rows = sqlx::query(
        "select t.name as t, c.name as c, c.type as y, c.\"notnull\" as n from pragma_table_list t \
         join pragma_table_info(t.name) c where t.type = 'table' and t.name not glob 'sqlite_*' \
         and t.name <> '_sqlx_migrations' order by t.name, c.name",
    )
    .fetch_all(&mut file.raw().await)
    .await
    .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| column(row.get("t"), row.get("c"), row.get("y"), row.get::<i64, _>("n") == 1))
        .collect();
    assert_eq!(found, schema());
    store.close().await;
}

#[tokio::test]
async fn postgres_schema_matches_the_file() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let store = crate::databases::migrated(&database.url()).await;
    let rows = sqlx::query(
        "select table_name::text as t, column_name::text as c, data_type::text as y, is_nullable::text as n \
         from information_schema.columns where table_schema = 'public' and table_name <> '_sqlx_migrations' \
         order by table_name collate \"C\", column_name collate \"C\"",
    )
    .fetch_all(&mut database.raw().await)
    .await
    .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| column(row.get("t"), row.get("c"), row.get("y"), row.get::<String, _>("n") == "NO"))
        .collect();
    assert_eq!(found, schema());
    store.close().await;
    database.drop().await;
}

fn column(table: &str, column: &str, kind: &str, not_null: bool) -> String {
    format!("{table}.{column} {}{}", kind.to_lowercase(), if not_null { " not null" } else { "" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_migrations_of_sqlite() {
    for _ in 0..5 {
        let file = SqliteFile::new();
        migrate_at_once(&file.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_migrations_of_postgres() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    migrate_at_once(&database.url()).await;
    database.drop().await;
}

async fn migrate_at_once(url: &str) {
    let mut programs = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = url.to_owned();
        programs.spawn(async move {
            let store = Store::connect(&url, &ConnectOptions::default()).await.unwrap();
            let migrated = store.migrate(NOON).await.unwrap();
            assert!(store.check_schema().await.unwrap().is_current());
            store.close().await;
            migrated.applied.len()
        });
    }
    let applied = programs.join_all().await;
    assert_eq!(
        applied.iter().filter(|count| **count > 0).count(),
        1,
        "exactly one process applies the migrations"
    );
}

#[tokio::test]
async fn newer_sqlite_schema_is_refused() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    let known = store.check_schema().await.unwrap().version;
    sqlx::query(NEWER).execute(&mut file.raw().await).await.unwrap();
    refuses_newer(&store, known).await;
}

#[tokio::test]
async fn newer_postgres_schema_is_refused() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let store = crate::databases::migrated(&database.url()).await;
    let known = store.check_schema().await.unwrap().version;
    sqlx::query(NEWER).execute(&mut database.raw().await).await.unwrap();
    refuses_newer(&store, known).await;
    store.close().await;
    database.drop().await;
}

const NEWER: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                     select 900, 'newer', true, checksum, 0 from _sqlx_migrations where version = 1";

async fn refuses_newer(store: &Store, known: i64) {
    let refusal = StoreError::NewerSchema { found: 900, known };
    assert_eq!(store.check_schema().await, Err(refusal.clone()));
    assert_eq!(store.migrate(NOON).await, Err(refusal.clone()));
    assert!(refusal.to_string().contains("run the newer program"), "{refusal}");
}

/// Databases of other programs, and databases that only look like one; the statements work on both databases.
const OTHERS: [(&str, bool); 5] = [
    ("create table theirs (id integer)", false),
    ("create view theirs as select 1 as id", false),
    ("create table _sqlx_migrations (id integer)", false),
    (
        "create table _sqlx_migrations (version bigint primary key, description text not null, checksum \
             varchar(9) not null); \
         insert into _sqlx_migrations values (20240101120000, 'create users', 'x'); create table users (name text)",
        false,
    ),
    // The database is empty again.
    ("create table theirs (id integer); drop table theirs", true),
];

#[tokio::test]
async fn foreign_sqlite_file_is_not_changed() {
    for (statements, ours) in OTHERS {
        let file = SqliteFile::new();
        std::fs::create_dir(file.folder.path().join("data")).unwrap();
        let mut raw = sqlx::SqliteConnection::connect(&format!("{}?mode=rwc", file.url())).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
        let before = std::fs::read(file.path()).unwrap();
        let writing = Store::connect(&file.url(), &ConnectOptions::default()).await;
        assert_eq!(writing.as_ref().err(), (!ours).then_some(&StoreError::ForeignDatabase), "{statements}");
        let look = ConnectOptions { read_only: true, ..ConnectOptions::default() };
        let looking = Store::connect(&file.url(), &look).await.unwrap();
        assert_eq!(looking.check_schema().await.is_ok(), ours, "{statements}");
        if !ours {
            assert_eq!(std::fs::read(file.path()).unwrap(), before, "{statements}");
        }
    }
}

#[tokio::test]
async fn foreign_postgres_database_is_not_changed() {
    let schema = "create schema app; create table app.theirs (id integer)";
    // An extension adds tables that belong to no program.
    let extension = "create extension pg_stat_statements";
    for (statements, ours) in OTHERS.into_iter().chain([(schema, false), (extension, true)]) {
        let Some(database) = PostgresDatabase::new().await else {
            return;
        };
        sqlx::raw_sql(statements).execute(&mut database.raw().await).await.unwrap();
        let store = Store::connect(&database.url(), &ConnectOptions::default()).await.unwrap();
        let looked = store.check_schema().await;
        assert_eq!(looked.as_ref().err(), (!ours).then_some(&StoreError::ForeignDatabase), "{statements}");
        let migrated = store.migrate(NOON).await;
        assert_eq!(migrated.as_ref().err(), (!ours).then_some(&StoreError::ForeignDatabase), "{statements}");
        store.close().await;
        if statements == schema {
            // A separate schema in that database is an explicit choice of its owner.
            sqlx::raw_sql("create schema ours").execute(&mut database.raw().await).await.unwrap();
            let url = format!("{}?options=-c%20search_path%3Dours", database.url());
            crate::databases::migrated(&url).await.close().await;
        }
        database.drop().await;
    }
}

#[tokio::test]
async fn compatible_newer_sqlite_schema_is_used() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    sqlx::query(ADDED).execute(&mut file.raw().await).await.unwrap();
    works_with_newer_schema(&store).await;
}

#[tokio::test]
async fn compatible_newer_postgres_schema_is_used() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let store = crate::databases::migrated(&database.url()).await;
    sqlx::query(ADDED).execute(&mut database.raw().await).await.unwrap();
    works_with_newer_schema(&store).await;
    store.close().await;
    database.drop().await;
}

const ADDED: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                     select 900, '0900_more__since_0001', true, checksum, 0 from _sqlx_migrations where version = 1";

async fn works_with_newer_schema(store: &Store) {
    let state = store.check_schema().await.unwrap();
    assert_eq!((state.version, state.is_current()), (900, true));
    assert_eq!(store.migrate(NOON).await.unwrap().applied, Vec::<&str>::new());
    let version = a_version("v", VersionOf::New(a_diagram("d")));
    record(store, a_generation("g", 0), Some(version)).await.unwrap();
}

#[tokio::test]
async fn versions_are_immutable_in_sqlite() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    let version = a_version("v", VersionOf::New(a_diagram("d")));
    record(&store, a_generation("g", 0), Some(version)).await.unwrap();
    let changed =
        sqlx::query("update diagram_versions set mermaid = 'x'").execute(&mut file.raw().await).await;
    assert!(changed.unwrap_err().to_string().contains("never changes"));
}

#[tokio::test]
async fn versions_are_immutable_in_postgres() {
    let Some(database) = PostgresDatabase::new().await else {
        return;
    };
    let store = crate::databases::migrated(&database.url()).await;
    let version = a_version("v", VersionOf::New(a_diagram("d")));
    record(&store, a_generation("g", 0), Some(version)).await.unwrap();
    let changed =
        sqlx::query("update diagram_versions set mermaid = 'x'").execute(&mut database.raw().await).await;
    assert!(changed.unwrap_err().to_string().contains("never changes"));
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn search_migration_indexes_existing_diagrams() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    for number in 0..3 {
        let version = a_version(&format!("v-{number}"), VersionOf::New(a_diagram(&format!("d-{number}"))));
        record(&store, a_generation(&format!("g-{number}"), number), Some(version)).await.unwrap();
    }
    // The state before the migration.
    let mut raw = file.raw().await;
    for statement in ["drop table diagram_words", "delete from _sqlx_migrations where version = 4"] {
        sqlx::query(statement).execute(&mut raw).await.unwrap();
    }
    assert_eq!(store.migrate(NOON).await.unwrap().applied, ["0004_search"]);
    let found = store
        .search_diagrams(&ProjectId::default_project(), "libr", &DiagramFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(found.len(), 3);
}
