//! One moment of everything: what a backup is made of, and what its restored copy is compared with.
//!
//! Asks the database itself which tables and columns it has, instead of knowing them as `transfer.rs` does: a backup made before an
//! upgrade is checked by the program after it. Never changes anything.

use std::path::Path;

use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Postgres, Row, Sqlite, SqliteConnection, Transaction};

use crate::pool::{Pool, create_private_file};
use crate::transfer::{Cell, Kind, bound, cells};
use crate::{Store, StoreError};

/// So many rows are read at a time.
const ROWS: usize = 500;

/// Everything as it was at one moment, whatever is written meanwhile. Holds a connection for as long as it lives.
pub struct Snapshot(Moment);

enum Moment {
    Sqlite(Transaction<'static, Sqlite>),
    /// With the name under which other connections may look at the same moment.
    Postgres(Transaction<'static, Postgres>, String),
}

/// What there was at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// The newest migration that was applied.
    pub schema: i64,
    /// The least schema that a program must know to work with it.
    pub needs_schema: i64,
    /// Rows, by table, in the order of the tables' names.
    pub counts: Vec<(String, u64)>,
}

/// A table as the database describes it: the columns of its key first.
struct Look {
    name: String,
    key: usize,
    columns: Vec<(String, Kind)>,
}

impl Look {
    fn names(columns: &[(String, Kind)]) -> String {
        columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn select(&self, after: bool) -> String {
        let (names, keys) = (Self::names(&self.columns), Self::names(&self.columns[..self.key]));
        let places: Vec<String> = (1..=self.key).map(|n| format!("${n}")).collect();
        let after = match after {
            true => format!("where ({keys}) > ({}) ", places.join(", ")),
            false => String::new(),
        };
        format!("select {names} from {} {after}order by {keys} limit {ROWS}", self.name)
    }

    fn line(&self, cells: &[Cell]) -> String {
        let columns = self.columns.iter().zip(cells);
        let values: Map<String, Value> =
            columns.map(|((name, _), cell)| (name.clone(), cell.to_json())).collect();
        let mut entry = Map::new();
        entry.insert(self.name.clone(), Value::Object(values));
        Value::Object(entry).to_string()
    }
}

/// Table, column, type, and the column's place in the key (0 if it has none); by table and column.
type Described = (String, String, String, i64);

const SQLITE_TABLES: &str = "select t.name, c.name, lower(c.type), c.pk from sqlite_schema t \
    join pragma_table_info(t.name) c where t.type = 'table' and t.name not glob 'sqlite_*' \
    and t.name <> '_sqlx_migrations' order by t.name, c.name";
const POSTGRES_TABLES: &str = "select t.relname::text, c.attname::text, format_type(c.atttypid, c.atttypmod)::text, \
    coalesce((select k.place from pg_index i, unnest(i.indkey::int2[]) with ordinality k (number, place) \
        where i.indrelid = t.oid and i.indisprimary and k.number = c.attnum), 0)::bigint \
    from pg_class t join pg_attribute c on c.attrelid = t.oid \
    where t.relnamespace = current_schema()::regnamespace and t.relkind = 'r' and c.attnum > 0 \
    and not c.attisdropped and t.relname <> '_sqlx_migrations' \
    order by t.relname::text collate \"C\", c.attname::text collate \"C\"";

fn looks(described: Vec<Described>) -> Result<Vec<Look>, StoreError> {
    let foreign = |what: &str| {
        StoreError::misconfigured(format!(
            "The database has {what}, which no version of this program made; use a database of its own."
        ))
    };
    let mut looks: Vec<Look> = Vec::new();
    let mut keys: Vec<(i64, String, Kind)> = Vec::new();
    let mut described = described.into_iter().peekable();
    let mut rest = Vec::new();
    while let Some((table, column, kind, place)) = described.next() {
        let kind = match kind.as_str() {
            "text" => Kind::Text,
            "bigint" => Kind::Number,
            "boolean" => Kind::Flag,
            other => return Err(foreign(&format!("a column {table}.{column} of type {other}"))),
        };
        match place {
            0 => rest.push((column, kind)),
            place => keys.push((place, column, kind)),
        }
        if described.peek().is_none_or(|(next, ..)| *next != table) {
            if keys.is_empty() {
                return Err(foreign(&format!("a table {table} without a key")));
            }
            keys.sort_by_key(|(place, ..)| *place);
            let key = keys.len();
            let columns = keys.drain(..).map(|(_, column, kind)| (column, kind)).chain(rest.drain(..));
            looks.push(Look { name: table, key, columns: columns.collect() });
        }
    }
    Ok(looks)
}

/// Reads all rows of all tables in the transaction `$tx`.
macro_rules! read_all {
    ($tx:expr, $tables:expr, $line:expr) => {{
        let steps: Vec<(i64, String)> =
            sqlx::query_as("select version, description from _sqlx_migrations order by version")
                .fetch_all(&mut **$tx)
                .await?;
        let schema = steps.last().map_or(0, |(version, _)| *version);
        let needs_schema =
            crate::migrate::needed_schema(steps.iter().map(|(version, name)| (*version, name.as_str())));
        let described: Vec<Described> = sqlx::query_as($tables).fetch_all(&mut **$tx).await?;
        let mut counts = Vec::new();
        for look in looks(described)? {
            let mut count = 0;
            let mut last: Option<Vec<Cell>> = None;
            loop {
                let statement = AssertSqlSafe(look.select(last.is_some()));
                let after = last.as_deref().unwrap_or_default();
                let rows = bound!(sqlx::query(statement), after).fetch_all(&mut **$tx).await?;
                let mut newest = None;
                for row in &rows {
                    let cells = cells!(row, look);
                    $line(&look.line(&cells));
                    newest = Some(cells);
                }
                count += rows.len() as u64;
                match newest {
                    Some(cells) if rows.len() == ROWS => last = Some(cells[..look.key].to_vec()),
                    _ => break,
                }
            }
            counts.push((look.name, count));
        }
        SnapshotFacts { schema, needs_schema, counts }
    }};
}

impl Store {
    /// Takes hold of this moment.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn begin_snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot(match &self.pool {
            Pool::Sqlite { readers, .. } => {
                let mut tx = readers.begin().await?;
                // A transaction of SQLite begins with its first look.
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

    /// Writes this moment into a new SQLite file, without keeping anybody from writing meanwhile. SQLite only.
    ///
    /// # Errors
    /// [`StoreError::Internal`] on PostgreSQL, whose own `pg_dump` does this; else those of the database.
    pub async fn snapshot_into(&self, path: &Path) -> Result<(), StoreError> {
        let (Pool::Sqlite { file, .. }, Some(name)) = (&self.pool, path.to_str()) else {
            return Err(StoreError::Internal { why: "a snapshot has no such place to go to".to_owned() });
        };
        // SQLite would make the file with the process's default rights; an empty file of ours keeps its own.
        create_private_file(path).map_err(|error| {
            StoreError::misconfigured(format!("{} cannot be created: {error}.", path.display()))
        })?;
        // A connection of its own: those that read refuse every write, and this one writes, elsewhere.
        let options = SqliteConnectOptions::new().filename(file.path());
        let mut own = SqliteConnection::connect_with(&options).await?;
        sqlx::query("vacuum into $1").bind(name).execute(&mut own).await?;
        own.close().await?;
        Ok(())
    }
}

impl Snapshot {
    /// The name under which `pg_dump --snapshot` looks at the same moment; none on SQLite.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Moment::Sqlite(_) => None,
            Moment::Postgres(_, name) => Some(name),
        }
    }

    /// Counts what there is, and hands out a line of JSON for each row, in an order that depends on nothing but what is kept: equal
    /// contents of an equal schema give equal lines, on both databases.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if there are no tables of this program, or others than its.
    pub async fn list_rows(&mut self, mut line: impl FnMut(&str)) -> Result<SnapshotFacts, StoreError> {
        Ok(match &mut self.0 {
            Moment::Sqlite(tx) => read_all!(tx, SQLITE_TABLES, line),
            Moment::Postgres(tx, _) => read_all!(tx, POSTGRES_TABLES, line),
        })
    }
}
