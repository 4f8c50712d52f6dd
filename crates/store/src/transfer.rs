//! Everything, from one database into another: SQLite to PostgreSQL and back, without loss.
//!
//! Knows every column there is ([`TABLES`]); a test compares that with the schema, so that none is forgotten.

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row};

use crate::pool::{Pool, on_pool};
use crate::{Store, StoreError};

/// What is in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
}

/// A table: its name, how many of its columns are its key (they come first), and the columns.
struct Table {
    name: &'static str,
    key: usize,
    columns: &'static [(&'static str, Kind)],
}

macro_rules! tables {
    ($($name:literal ($key:literal) { $($column:ident: $kind:ident),* },)*) => {
        &[$(Table { name: $name, key: $key, columns: &[$((stringify!($column), Kind::$kind)),*] }),*]
    };
}

/// Every table, each after those that it refers to.
const TABLES: &[Table] = tables! {
    "users" (1) { id: Text, admin: Flag, created_at: Number, disabled_at: Number, email: Text, name: Text, password_hash: Text, second_factor: Text, second_factor_step: Number, updated_at: Number, verified_at: Number },
    "projects" (1) { id: Text, archived_at: Number, created_at: Number, name: Text, revision: Number, updated_at: Number },
    "memberships" (2) { project_id: Text, user_id: Text, created_at: Number, role: Text },
    "invitations" (1) { id: Text, accepted_at: Number, created_at: Number, email: Text, expires_at: Number, invited_by: Text, mailed_hash: Text, project_id: Text, role: Text, secret_hash: Text },
    "sessions" (1) { id: Text, created_at: Number, device: Text, expires_at: Number, previous_hash: Text, rotated_at: Number, secret_hash: Text, seen_at: Number, user_id: Text },
    "known_devices" (1) { secret_hash: Text, seen_at: Number, user_id: Text },
    "sign_in_failures" (1) { bucket: Text, failures: Number, since: Number },
    "one_time_codes" (1) { secret_hash: Text, created_at: Number, email: Text, expires_at: Number, purpose: Text, user_id: Text },
    "tokens" (1) { id: Text, created_at: Number, expires_at: Number, name: Text, revoked_at: Number, scopes: Text, secret_hash: Text, used_at: Number, user_id: Text },
    "audit_events" (1) { id: Text, action: Text, at: Number, details: Text, project_id: Text, subject: Text, token_id: Text, user_id: Text },
    "data_keys" (1) { id: Text, sealed: Text, created_at: Number },
    "provider_keys" (1) { id: Text, project_id: Text, user_id: Text, provider: Text, data_key_id: Text, sealed: Text, hint: Text, created_at: Number },
    "folders" (1) { id: Text, project_id: Text, parent_id: Text, name: Text, folded: Text, revision: Number, created_at: Number, updated_at: Number },
    "diagrams" (1) { id: Text, archived_at: Number, created_at: Number, folder_id: Text, head_version: Number, kind: Text, project_id: Text, revision: Number, title: Text, updated_at: Number },
    "diagram_words" (3) { project_id: Text, word: Text, diagram_id: Text },
    "generations" (1) { id: Text, content_id: Text, cost_micro_usd: Number, created_at: Number, created_by: Text, diagram_id: Text, duration_us: Number, error_code: Text, input_tokens: Number, kind: Text, model: Text, output_tokens: Number, project_id: Text, provider: Text, repairs: Text, request: Text, retry_count: Number, status: Text, validator: Text, warning: Text },
    "diagram_versions" (1) { id: Text, blueprint: Text, created_at: Number, created_by: Text, diagram_id: Text, findings: Text, generation_id: Text, mermaid: Text, note: Text, number: Number, requirement: Text, trace: Text, validated: Flag },
    "requirements" (1) { id: Text, archived_at: Number, created_at: Number, head_version: Number, number: Number, project_id: Text, revision: Number, updated_at: Number },
    "requirement_versions" (2) { requirement_id: Text, number: Number, created_at: Number, created_by: Text, text: Text },
    "trace_links" (1) { id: Text, created_at: Number, created_by: Text, diagram_id: Text, diagram_version: Number, element: Text, project_id: Text, requirement_id: Text, requirement_version: Number, suspect: Text },
    "glossary_terms" (1) { id: Text, created_at: Number, definition: Text, folded: Text, project_id: Text, revision: Number, term: Text, updated_at: Number },
    "comments" (1) { id: Text, body: Text, created_at: Number, created_by: Text, diagram_id: Text, element: Text, project_id: Text, resolved_at: Number, resolved_by: Text, version: Number },
    "approvals" (1) { id: Text, created_at: Number, created_by: Text, decision: Text, diagram_id: Text, note: Text, version: Number },
    "baselines" (1) { id: Text, created_at: Number, created_by: Text, name: Text, project_id: Text },
    "baseline_items" (3) { baseline_id: Text, what: Text, subject_id: Text, version: Number },
    "jobs" (1) { id: Text, kind: Text, project_id: Text, created_by: Text, payload: Text, status: Text, attempts: Number, run_at: Number, worker: Text, result: Text, created_at: Number, updated_at: Number },
    "idempotent_requests" (1) { key_hash: Text, fingerprint: Text, attempt: Text, lease_until: Number, subject: Text, answer: Text, created_at: Number, expires_at: Number },
    "webhooks" (1) { id: Text, project_id: Text, url: Text, events: Text, data_key_id: Text, sealed: Text, revision: Number, disabled_at: Number, created_by: Text, created_at: Number, updated_at: Number },
    "webhook_deliveries" (1) { id: Text, webhook_id: Text, event_id: Text, attempt: Number, status: Number, problem: Text, duration_us: Number, created_at: Number },
    "budgets" (1) { id: Text, project_id: Text, user_id: Text, period: Text, max_tokens: Number, max_micro_usd: Number, revision: Number, created_at: Number, updated_at: Number },
    "budget_use" (2) { budget_id: Text, period_start: Number, tokens: Number, micro_usd: Number },
    "identities" (2) { issuer: Text, subject: Text, user_id: Text, created_at: Number },
    "recovery_codes" (1) { secret_hash: Text, user_id: Text, created_at: Number },
};

/// So many rows are carried at a time.
const ROWS: i64 = 500;

/// One value of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(Option<bool>),
}

impl Cell {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Cell::Text(text) => text.as_deref().map_or(Value::Null, Value::from),
            Cell::Number(number) => number.map_or(Value::Null, Value::from),
            Cell::Flag(flag) => flag.map_or(Value::Null, Value::from),
        }
    }
}

/// How much was carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Rows, by table, in the order in which they were carried.
    pub rows: Vec<(&'static str, u64)>,
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn keys(&self) -> String {
        self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The next rows after a key, in the order of keys.
    fn select(&self, after: bool) -> String {
        let places: Vec<String> = (1..=self.key).map(|n| format!("${n}")).collect();
        let after = match after {
            true => format!("where ({}) > ({}) ", self.keys(), places.join(", ")),
            false => String::new(),
        };
        let (names, keys) = (self.names(), self.keys());
        format!("select {names} from {} {after}order by {keys} limit {ROWS}", self.name)
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("${n}")).collect();
        format!("insert into {} ({}) values ({})", self.name, self.names(), places.join(", "))
    }
}

/// Reads the cells of a row, of either driver.
macro_rules! cells {
    ($row:expr, $table:expr) => {{
        let mut cells = Vec::with_capacity($table.columns.len());
        for (at, (_, kind)) in $table.columns.iter().enumerate() {
            cells.push(match kind {
                Kind::Text => Cell::Text($row.try_get(at)?),
                Kind::Number => Cell::Number($row.try_get(at)?),
                Kind::Flag => Cell::Flag($row.try_get(at)?),
            });
        }
        cells
    }};
}

/// Hands cells to a statement, of either driver.
macro_rules! bound {
    ($query:expr, $cells:expr) => {{
        let mut query = $query;
        for cell in $cells {
            query = match cell {
                Cell::Text(text) => query.bind(text.clone()),
                Cell::Number(number) => query.bind(*number),
                Cell::Flag(flag) => query.bind(*flag),
            };
        }
        query
    }};
}

pub(crate) use {bound, cells};

/// Writes everything that `$from` has into the transaction `$tx`.
macro_rules! carry {
    ($from:expr, $tx:ident) => {{
        // Made by migrating; the one that comes along may have another name.
        sqlx::query("delete from projects").execute(&mut *$tx).await?;
        let mut moved = Vec::new();
        for table in TABLES {
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
            moved.push((table.name, count));
        }
        moved
    }};
}

impl Store {
    /// Copies everything into `target`, all of it or nothing. Both must have this program's schema, and `target` nothing
    /// else. Nobody may write to this store meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the target is not empty.
    pub async fn copy_into(&self, target: &Store) -> Result<Moved, StoreError> {
        if !target.is_empty().await? {
            return Err(StoreError::misconfigured(
                "The target database is not empty; name a new one, so that nothing is overwritten.",
            ));
        }
        let rows = match &target.pool {
            Pool::Sqlite { writer, .. } => {
                let mut tx = writer.begin_with("begin immediate").await?;
                let moved = carry!(self, tx);
                tx.commit().await?;
                moved
            }
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let moved = carry!(self, tx);
                tx.commit().await?;
                moved
            }
        };
        Ok(Moved { rows })
    }

    /// Nothing is in it but the default project.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        for table in TABLES {
            let mut rows = self.rows(table, None).await?;
            if table.name == "projects" {
                rows.retain(|row| row[0] != Cell::Text(Some("default".to_owned())));
            }
            if !rows.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
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

    /// Hands out everything that is kept, a line of JSON for each row, in an order that depends on nothing but what is
    /// kept: two databases that say the same give the same lines.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn dump(&self, mut line: impl FnMut(&str)) -> Result<(), StoreError> {
        for table in TABLES {
            let mut last: Option<Vec<Cell>> = None;
            loop {
                let rows = self.rows(table, last.as_deref()).await?;
                for row in &rows {
                    let columns = table.columns.iter().zip(row);
                    let values: Map<String, Value> =
                        columns.map(|((name, _), cell)| ((*name).to_owned(), cell.to_json())).collect();
                    let mut entry = Map::new();
                    entry.insert(table.name.to_owned(), Value::Object(values));
                    line(&Value::Object(entry).to_string());
                }
                match rows.into_iter().next_back() {
                    Some(row) => last = Some(row[..table.key].to_vec()),
                    None => break,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_is_forgotten() {
        let schema = include_str!("../tests/it/schema.txt");
        let mut known: Vec<String> = Vec::new();
        for table in TABLES {
            for (column, kind) in table.columns {
                let kind = match kind {
                    Kind::Text => "text",
                    Kind::Number => "bigint",
                    Kind::Flag => "boolean",
                };
                known.push(format!("{}.{column} {kind}", table.name));
            }
        }
        known.sort();
        let mut there: Vec<String> = schema
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.trim_end_matches(" not null").to_owned())
            .collect();
        there.sort();
        assert_eq!(known, there, "a new column must be carried along, or it is lost");
    }
}
