//! Test databases and test data. Never shared between two tests.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use store::{
    AuditEventId, ConnectOptions, DiagramId, GenerationId, GenerationStatus, JsonText, NewAuditEvent,
    NewDiagram, NewGeneration, NewVersion, ProjectId, Recorded, Store, StoreError, TimeUs, VersionId,
    VersionOf,
};
use tempfile::TempDir;
use test_support::{environment, skip};

pub(crate) const NOON: TimeUs = TimeUs::from_micros(1_750_000_000_000_000);

/// A SQLite file in a separate folder, deleted on drop.
pub(crate) struct SqliteFile {
    pub(crate) folder: TempDir,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> String {
        self.folder.path().join("data/store.db").to_str().unwrap().to_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path())
    }

    /// Opens the file and applies all migrations.
    pub(crate) async fn migrated(&self) -> Store {
        migrated(&self.url()).await
    }

    /// A direct connection, for inspecting and damaging the data.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url()).await.unwrap()
    }
}

/// A separate database on the PostgreSQL server (15 or newer, with ICU, as distributions build it); call
/// [`PostgresDatabase::drop`] at the end.
pub(crate) struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    /// `None`, counted as skipped, without a server.
    pub(crate) async fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server_url()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ba_copilot_test_{}_{count}", std::process::id());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        // A natural-language collation detects a missing `collate "C"`.
        let sql = format!(
            "create database {name} template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'und'"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        Some(Self { server, name })
    }

    pub(crate) fn url(&self) -> String {
        let (before, _) = self.server.rsplit_once('/').unwrap();
        format!("{before}/{}", self.name)
    }

    pub(crate) async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    pub(crate) async fn drop(self) {
        let mut admin = PgConnection::connect(&self.server).await.unwrap();
        let sql = format!("drop database {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
}

/// The test server; `None`, counted as skipped, if there is none.
pub(crate) fn server_url() -> Option<String> {
    let url = environment("BA_COPILOT_TEST_POSTGRES_URL");
    if url.is_none() {
        skip("no PostgreSQL server: BA_COPILOT_TEST_POSTGRES_URL is not set");
    }
    url
}

pub(crate) async fn migrated(url: &str) -> Store {
    let store = Store::connect(url, &ConnectOptions::default()).await.unwrap();
    store.migrate(NOON).await.unwrap();
    store
}

pub(crate) fn project(id: &str) -> ProjectId {
    ProjectId::parse(id).unwrap()
}

pub(crate) fn diagram(id: &str) -> DiagramId {
    DiagramId::parse(id).unwrap()
}

pub(crate) fn version(id: &str) -> VersionId {
    VersionId::parse(id).unwrap()
}

pub(crate) fn generation(id: &str) -> GenerationId {
    GenerationId::parse(id).unwrap()
}

/// A generation with default values, some seconds after noon.
pub(crate) fn a_generation(id: &str, seconds: i64) -> NewGeneration {
    NewGeneration {
        id: generation(id),
        project_id: None,
        content_id: None,
        diagram_id: None,
        kind: "class".into(),
        status: GenerationStatus::Succeeded,
        request: "A library lends books.".into(),
        provider: "builtin".into(),
        model: "drafter".into(),
        validator: None,
        retry_count: 0,
        repairs: JsonText::empty_list(),
        warning: None,
        error_code: None,
        input_tokens: 0,
        output_tokens: 0,
        cost_micro_usd: None,
        duration_us: 1_500,
        created_by: None,
        created_at: TimeUs::from_micros(NOON.as_micros() + seconds * 1_000_000),
    }
}

/// A diagram of the default project.
pub(crate) fn a_diagram(id: &str) -> NewDiagram {
    NewDiagram {
        id: diagram(id),
        project_id: ProjectId::default_project(),
        kind: "class".into(),
        title: "Library".into(),
        folder_id: None,
    }
}

pub(crate) fn a_version(id: &str, of: VersionOf) -> NewVersion {
    NewVersion {
        id: version(id),
        of,
        requirement: "A library lends books.".into(),
        blueprint: None,
        mermaid: "classDiagram\n  class Book\n".into(),
        validated: true,
        findings: JsonText::empty_list(),
        trace: JsonText::empty_list(),
        created_by: None,
        note: None,
    }
}

/// An event on `subject` without a user, some seconds after noon.
pub(crate) fn an_event(action: &'static str, subject: &str, seconds: i64) -> NewAuditEvent {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    NewAuditEvent {
        id: AuditEventId::parse(format!("aud-{}-{count}", std::process::id())).unwrap(),
        at: TimeUs::from_micros(NOON.as_micros() + seconds * 1_000_000),
        user_id: None,
        token_id: None,
        action,
        project_id: None,
        subject: subject.to_owned(),
        details: JsonText::parse("{}").unwrap(),
        fence: None,
    }
}

pub(crate) async fn record(
    store: &Store,
    generation: NewGeneration,
    version: Option<NewVersion>,
) -> Result<Recorded, StoreError> {
    let event = an_event("generation.create", generation.id.as_str(), 0);
    store.record_generation(generation, version, &event).await
}
