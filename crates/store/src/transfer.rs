//! Everything, from one database into another: SQLite to PostgreSQL and back, without loss. Reads the columns from the
//! database (`catalog.rs`); knows only in which order tables refer to each other.

use sqlx::{AssertSqlSafe, Row};

use crate::catalog::{self, Cell, Described, Table, bound, cells};
use crate::pool::{Pool, on_pool};
use crate::{Store, StoreError};

/// Every table, each after those that it refers to.
const TABLES: &[&str] = &[
    "users",
    "projects",
    "memberships",
    "invitations",
    "sessions",
    "known_devices",
    "sign_in_failures",
    "one_time_codes",
    "tokens",
    "audit_events",
    "data_keys",
    "provider_keys",
    "folders",
    "diagrams",
    "diagram_words",
    "generations",
    "diagram_versions",
    "requirements",
    "requirement_versions",
    "trace_links",
    "glossary_terms",
    "comments",
    "approvals",
    "baselines",
    "baseline_items",
    "jobs",
    "idempotent_requests",
    "webhooks",
    "webhook_deliveries",
    "budgets",
    "budget_use",
    "identities",
    "recovery_codes",
];

/// How much was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Rows, by table, in the order in which they were copied.
    pub rows: Vec<(&'static str, u64)>,
}

/// Writes everything that `$from` has into the transaction `$tx`.
macro_rules! copy_rows {
    ($from:expr, $tables:expr, $tx:ident) => {{
        // Made by migrating; the one that is copied may have another name.
        sqlx::query("delete from projects").execute(&mut *$tx).await?;
        let mut moved = Vec::new();
        for (name, table) in &$tables {
            let mut count = 0;
            let mut last: Option<Vec<Cell>> = None;
            loop {
                let rows = $from.rows(table, last.as_deref()).await?;
                for row in &rows {
                    bound!(sqlx::query(AssertSqlSafe(table.insert())), row).execute(&mut *$tx).await?;
                }
                count += rows.len() as u64;
                match rows.into_iter().next_back() {
                    Some(row) => last = Some(row[..table.key].to_vec()),
                    None => break,
                }
            }
            moved.push((*name, count));
        }
        moved
    }};
}

impl Store {
    /// Copies everything into `target`, all of it or nothing. Both must have this program's schema, and `target` must
    /// be empty. Nothing may write to this store meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the target is not empty.
    pub async fn copy_into(&self, target: &Store) -> Result<Moved, StoreError> {
        if !target.is_empty().await? {
            return Err(StoreError::misconfigured(
                "The target database is not empty; name a new one, so that nothing is overwritten.",
            ));
        }
        let tables = self.tables().await?;
        let rows = match &target.pool {
            Pool::Sqlite { writer, .. } => {
                let mut tx = writer.begin_with("begin immediate").await?;
                let moved = copy_rows!(self, tables, tx);
                tx.commit().await?;
                moved
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let moved = copy_rows!(self, tables, tx);
                tx.commit().await?;
                moved
            }
        };
        Ok(Moved { rows })
    }

    /// Nothing is in it but the default project.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        for (name, table) in self.tables().await? {
            let mut rows = self.rows(&table, None).await?;
            if name == "projects" {
                rows.retain(|row| row[0] != Cell::Text(Some("default".to_owned())));
            }
            if !rows.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The tables of the database in the order of [`TABLES`].
    async fn tables(&self) -> Result<Vec<(&'static str, Table)>, StoreError> {
        let described: Vec<Described> = on_pool!(&self.pool, db => {
            sqlx::query_as(catalog::describe(self.backend())).fetch_all(db).await?
        });
        let place = |table: &Table| TABLES.iter().position(|name| *name == table.name);
        let mut placed = Vec::with_capacity(TABLES.len());
        for table in catalog::tables(described)? {
            let place = place(&table).ok_or_else(|| StoreError::Internal {
                why: format!("the table {} is in no order of transfer", table.name),
            })?;
            placed.push((place, table));
        }
        placed.sort_by_key(|(place, _)| *place);
        Ok(placed.into_iter().map(|(place, table)| (TABLES[place], table)).collect())
    }

    async fn rows(&self, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Vec<Cell>>, StoreError> {
        let statement = table.select(after.is_some());
        let after = after.unwrap_or_default();
        on_pool!(&self.pool, db => {
            let rows = bound!(sqlx::query(AssertSqlSafe(statement)), after).fetch_all(db).await?;
            let mut out = Vec::with_capacity(rows.len());
            for row in rows {
                out.push(cells!(row, table));
            }
            Ok(out)
        })
    }
}
