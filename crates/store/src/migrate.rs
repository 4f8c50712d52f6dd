//! Schema migrations, forward only. Refuses a schema that is newer than this program, unless its additional
//! migrations declare that older programs may use it.
//!
//! All pending migrations and the default project are one transaction, under a lock that a second program waits for:
//! after a crash, or with ten programs starting at once, the schema is the old one or the new one. The rules for
//! writing a migration are in `migrations/README.md`.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, Migration, MigrationType};

use crate::diagrams::SOME_DIAGRAMS;
use crate::error::changed_migration;
use crate::log_mark;
use crate::ownership::{History, postgres_history, sqlite_history};
use crate::pool::Pool;
use crate::projects::ENSURE_PROJECT;
use crate::words::index_words;
use crate::{Backend, Diagram, ProjectId, Store, StoreError, TimeUs};

/// A migration, in the SQL of each database.
struct Step {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every migration, oldest first: the files in `../migrations`, listed by `build.rs`.
const STEPS: &[Step] = include!(concat!(env!("OUT_DIR"), "/steps.rs"));

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations applied by this call; empty if the schema was up to date.
    pub applied: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest migration in the database; 0 if there is none.
    pub version: i64,
    /// Names of the migrations that [`Store::migrate`] would apply, in that order.
    pub pending: Vec<&'static str>,
}

impl SchemaState {
    /// True if no migration is pending.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty()
    }
}

/// What a migration leaves to the program because SQL cannot express it, in the same transaction.
macro_rules! fill {
    ($tx:ident, $state:expr) => {
        if $state.pending.contains(&"0004_search") {
            let mut last = String::new();
            loop {
                let rows: Vec<Diagram> =
                    sqlx::query_as(SOME_DIAGRAMS).bind(&last).fetch_all(&mut *$tx).await?;
                for diagram in &rows {
                    index_words!($tx, diagram);
                }
                match rows.last() {
                    Some(diagram) => last = diagram.id.as_str().to_owned(),
                    None => break,
                }
            }
        }
    };
}

impl Store {
    /// Names of all migrations, oldest first.
    #[must_use]
    pub fn migrations() -> Vec<&'static str> {
        STEPS.iter().map(|step| step.name).collect()
    }

    /// Applies pending migrations, all or nothing, and ensures that the default project exists (created `at`).
    ///
    /// Safe to call at every start and from several programs at once: they are serialized.
    ///
    /// # Errors
    /// [`StoreError::ForeignDatabase`], [`StoreError::NewerSchema`], or [`StoreError::Misconfigured`] if an applied
    /// migration differs from this program's. Nothing is changed then.
    pub async fn migrate(&self, at: TimeUs) -> Result<Migrated, StoreError> {
        let known = migrations(self.backend());
        let project = ProjectId::default_project();
        match &self.pool {
            Pool::Sqlite { writer, .. } => {
                // `begin immediate` is the lock.
                let mut tx = writer.begin_with("begin immediate").await?;
                let before = compare(&known, &sqlite_history(&mut tx).await?)?;
                apply(&mut *tx, &known, &before).await?;
                fill!(tx, &before);
                sqlx::query(ENSURE_PROJECT).bind(project).bind("Default").bind(at).execute(&mut *tx).await?;
                tx.commit().await?;
                log_mark::mark(writer).await;
                Ok(Migrated { applied: before.pending })
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                // An arbitrary constant; held until the transaction ends.
                sqlx::query("select pg_advisory_xact_lock(4207849484711)").execute(&mut *tx).await?;
                let before = compare(&known, &postgres_history(&mut tx).await?)?;
                sqlx::raw_sql(POSTGRES_HISTORY_TABLE).execute(&mut *tx).await?;
                // Not by the driver, which names its statements; see `postgres.rs`.
                for migration in pending(&known, &before) {
                    sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await?;
                    sqlx::query(
                        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                         values ($1, $2, true, $3, -1)",
                    )
                    .bind(migration.version)
                    .bind(migration.description.as_ref())
                    .bind(migration.checksum.as_ref())
                    .execute(&mut *tx)
                    .await?;
                }
                fill!(tx, &before);
                sqlx::query(ENSURE_PROJECT).bind(project).bind("Default").bind(at).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(Migrated { applied: before.pending })
            }
        }
    }

    /// Compares the schema with this program's. Read-only.
    ///
    /// # Errors
    /// As for [`Store::migrate`].
    pub async fn check_schema(&self) -> Result<SchemaState, StoreError> {
        let history = match &self.pool {
            Pool::Sqlite { readers, .. } => sqlite_history(&mut *readers.acquire().await?).await?,
            Pool::Postgres(pool) => postgres_history(&mut *pool.begin().await?).await?,
        };
        compare(&migrations(self.backend()), &history)
    }
}

fn migrations(backend: Backend) -> Vec<Migration> {
    let migration = |step: &Step| {
        let sql = match backend {
            Backend::Sqlite => step.sqlite,
            Backend::Postgres => step.postgres,
        };
        Migration::new(
            step.version,
            Cow::Borrowed(step.name),
            MigrationType::Simple,
            sql.into_sql_str(),
            false, // Never outside the transaction that holds them all.
        )
    };
    STEPS.iter().map(migration).collect()
}

/// Applies pending migrations in the transaction of `db`; the driver's own transactions are savepoints in it. The
/// driver's `Migrator` is not used, because it takes its own lock and releases it before our transaction commits.
async fn apply<C: Migrate>(db: &mut C, known: &[Migration], state: &SchemaState) -> Result<(), StoreError> {
    db.ensure_migrations_table(HISTORY_TABLE).await?;
    for migration in pending(known, state) {
        db.apply(HISTORY_TABLE, migration).await?;
    }
    Ok(())
}

fn pending<'a>(known: &'a [Migration], state: &'a SchemaState) -> impl Iterator<Item = &'a Migration> {
    known.iter().filter(|migration| state.pending.contains(&migration.description.as_ref()))
}

/// The driver's own table, so that its command-line tool can read it too; made with the first migration.
const HISTORY_TABLE: &str = "_sqlx_migrations";
const POSTGRES_HISTORY_TABLE: &str = "\
    create table if not exists _sqlx_migrations (
        version bigint primary key,
        description text not null,
        installed_on timestamptz not null default now(),
        success boolean not null,
        checksum bytea not null,
        execution_time bigint not null
    )";

fn compare(known: &[Migration], history: &History) -> Result<SchemaState, StoreError> {
    let newest_known = known.last().map_or(0, |migration| migration.version);
    let newest_found = history.last().map_or(0, |(version, ..)| *version);
    let named = history.iter().map(|(version, _, name)| (*version, name.as_str()));
    if needed_schema(named) > newest_known {
        return Err(StoreError::NewerSchema { found: newest_found, known: newest_known });
    }
    for (version, checksum, _) in history.iter().filter(|(version, ..)| *version <= newest_known) {
        let ours = known.iter().find(|migration| migration.version == *version);
        if ours.is_none_or(|migration| *migration.checksum != **checksum) {
            return Err(changed_migration(*version));
        }
    }
    let is_applied = |version| history.iter().any(|(applied, ..)| *applied == version);
    let pending = STEPS.iter().filter(|step| !is_applied(step.version)).map(|step| step.name).collect();
    Ok(SchemaState { version: newest_found, pending })
}

/// The oldest program schema that can work with a database of these migrations: a migration named `…__since_NNNN`
/// keeps working for programs of schema NNNN, any other one for no older program.
pub(crate) fn needed_schema<'a>(applied: impl IntoIterator<Item = (i64, &'a str)>) -> i64 {
    let needs = |(version, name): (i64, &str)| {
        let since = name.rsplit_once("__since_").and_then(|(_, since)| since.parse::<i64>().ok());
        since.filter(|since| *since < version).unwrap_or(version)
    };
    applied.into_iter().map(needs).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// Checksum and path of every migration file, as `sha384sum` writes them.
    fn checksums() -> String {
        let mut lines = String::new();
        for (postgres, sqlite) in migrations(Backend::Postgres).iter().zip(&migrations(Backend::Sqlite)) {
            for (folder, migration) in [("postgres", postgres), ("sqlite", sqlite)] {
                for byte in migration.checksum.iter() {
                    write!(lines, "{byte:02x}").unwrap();
                }
                writeln!(lines, "  {folder}/{}.sql", migration.description).unwrap();
            }
        }
        lines
    }

    #[test]
    fn published_migration_is_unchanged() {
        let (committed, _) = include_str!("../migrations/schema.txt").split_once("\n\n").unwrap();
        assert_eq!(
            format!("{committed}\n"),
            checksums(),
            "a published migration must not be edited: write a new one, and append its two checksums in \
             migrations/schema.txt"
        );
    }

    #[test]
    fn migration_names_start_with_ascending_versions() {
        assert_eq!((STEPS[0].version, STEPS[0].name), crate::ownership::FIRST_MIGRATION);
        for (index, step) in STEPS.iter().enumerate() {
            assert_eq!(step.version, i64::try_from(index).unwrap() + 1, "{}", step.name);
            assert!(step.name.starts_with(&format!("{:04}_", step.version)), "{}", step.name);
        }
    }

    #[test]
    fn unknown_history_is_refused() {
        let known = migrations(Backend::Sqlite);
        let newest = known.last().unwrap().version;
        let good: History =
            known.iter().map(|it| (it.version, it.checksum.to_vec(), it.description.to_string())).collect();
        assert_eq!(compare(&known, &good).unwrap(), SchemaState { version: newest, pending: vec![] });

        let mut newer = good.clone();
        newer.push((newest + 3, vec![1], "newer".to_owned()));
        let refusal = compare(&known, &newer).unwrap_err();
        assert_eq!(refusal, StoreError::NewerSchema { found: newest + 3, known: newest });

        // Compatible migrations, and one that is not.
        let mut added = good.clone();
        added.push((newest + 1, vec![1], format!("added__since_{newest:04}")));
        added.push((newest + 2, vec![1], format!("added_too__since_{:04}", newest - 2)));
        let state = SchemaState { version: newest + 2, pending: vec![] };
        assert_eq!(compare(&known, &added).unwrap(), state);
        added.push((newest + 3, vec![1], format!("dropped__since_{:04}", newest + 2)));
        assert!(matches!(compare(&known, &added), Err(StoreError::NewerSchema { .. })));

        let mut edited = good;
        edited[0].1[0] ^= 1;
        assert!(matches!(compare(&known, &edited), Err(StoreError::Misconfigured { .. })));
    }
}
