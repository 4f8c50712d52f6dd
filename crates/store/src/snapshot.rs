//! A consistent snapshot of all rows: the content of a backup, and what its restored copy is compared with.
//!
//! Takes tables and columns from the database (`catalog.rs`), so that a backup made before an upgrade is checked by
//! the program after it. Read-only.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row, Sqlite, SqliteConnection, Transaction};

use crate::catalog::{Cell, Described, ROWS, bound, cells, describe, tables};
use crate::pool::{Pool, create_private_file};
use crate::postgres::PgTransaction;
use crate::{Backend, Store, StoreError};

/// A consistent view of all rows. Holds a connection until it is dropped.
pub struct Snapshot(Moment);

enum Moment {
    Sqlite(Transaction<'static, Sqlite>),
    /// With the name under which other connections can use the same snapshot.
    Postgres(PgTransaction, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// The newest migration that was applied.
    pub schema: i64,
    /// The oldest program schema that can work with it.
    pub needs_schema: i64,
    /// Rows by table, sorted by name.
    pub counts: Vec<(String, u64)>,
}

/// Reads all rows of all tables in the transaction `$tx`.
macro_rules! read_all {
    ($tx:expr, $backend:expr, $line:expr) => {{
        let steps: Vec<(i64, String)> =
            sqlx::query_as("select version, description from _sqlx_migrations order by version")
                .fetch_all(&mut **$tx)
                .await?;
        let schema = steps.last().map_or(0, |(version, _)| *version);
        let needs_schema =
            crate::migrate::needed_schema(steps.iter().map(|(version, name)| (*version, name.as_str())));
        let described: Vec<Described> = sqlx::query_as(describe($backend)).fetch_all(&mut **$tx).await?;
        let mut counts = Vec::new();
        for table in tables(described)? {
            let mut count = 0;
            let mut last: Option<Vec<Cell>> = None;
            loop {
                let statement = AssertSqlSafe(table.select(last.is_some()));
                let after = last.as_deref().unwrap_or_default();
                let rows = bound!(sqlx::query(statement), after).fetch_all(&mut **$tx).await?;
                let mut newest = None;
                for row in &rows {
                    let cells = cells!(row, table);
                    $line(&table.line(&cells));
                    newest = Some(cells);
                }
                count += rows.len() as u64;
                match newest {
                    Some(cells) if rows.len() == ROWS => last = Some(cells[..table.key].to_vec()),
                    _ => break,
                }
            }
            counts.push((table.name, count));
        }
        SnapshotFacts { schema, needs_schema, counts }
    }};
}

impl Store {
    /// Starts a snapshot.
    pub async fn begin_snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot(match &self.pool {
            Pool::Sqlite { readers, .. } => {
                let mut tx = readers.begin().await?;
                // A transaction of SQLite starts with its first read.
                sqlx::query("select count(*) from sqlite_schema").execute(&mut *tx).await?;
                Moment::Sqlite(tx)
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin_with("begin isolation level repeatable read, read only").await?;
                let name = sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut *tx).await?;
                Moment::Postgres(tx, name)
            }
        }))
    }

    /// Every row as a line of JSON, see [`Snapshot::list_rows`].
    ///
    /// # Errors
    /// As there.
    pub async fn dump(&self, line: impl FnMut(&str)) -> Result<(), StoreError> {
        self.begin_snapshot().await?.list_rows(line).await.map(drop)
    }

    /// Writes a snapshot into a new SQLite file, without blocking writers. SQLite only.
    ///
    /// # Errors
    /// [`StoreError::Internal`] on PostgreSQL, whose own `pg_dump` does this.
    pub async fn snapshot_into(&self, path: &Path) -> Result<(), StoreError> {
        let (Pool::Sqlite { file, .. }, Some(name)) = (&self.pool, path.to_str()) else {
            return Err(StoreError::Internal { why: "a snapshot has no such place to go to".to_owned() });
        };
        // SQLite would create the file with the process's default mode; an existing file keeps its own.
        create_private_file(path).map_err(|error| {
            StoreError::misconfigured(format!("{} cannot be created: {error}.", path.display()))
        })?;
        // The readers refuse every write, so this takes its own connection.
        let options = SqliteConnectOptions::new().filename(file.path());
        let mut own = SqliteConnection::connect_with(&options).await?;
        sqlx::query("vacuum into $1").bind(name).execute(&mut own).await?;
        own.close().await?;
        Ok(())
    }
}

impl Snapshot {
    /// The name for `pg_dump --snapshot`; `None` on SQLite.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Moment::Sqlite(_) => None,
            Moment::Postgres(_, name) => Some(name),
        }
    }

    /// Counts the rows, and passes each as a line of JSON, in a canonical order: equal contents of an equal schema
    /// give equal lines, on both databases.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the tables are not those of this program.
    pub async fn list_rows(&mut self, mut line: impl FnMut(&str)) -> Result<SnapshotFacts, StoreError> {
        Ok(match &mut self.0 {
            Moment::Sqlite(tx) => read_all!(tx, Backend::Sqlite, line),
            Moment::Postgres(tx, _) => read_all!(tx, Backend::Postgres, line),
        })
    }
}
