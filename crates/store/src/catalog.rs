//! Tables and columns as the database describes them, so that a new column needs no list in the program.
//!
//! Rows are read in the order of their keys, in bounded steps.

use serde_json::{Map, Value};

use crate::{Backend, StoreError};

/// Batch size of reads.
pub(crate) const ROWS: usize = 500;

/// What is in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
}

/// One value of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(Option<bool>),
}

impl Cell {
    fn to_json(&self) -> Value {
        match self {
            Cell::Text(text) => text.as_deref().map_or(Value::Null, Value::from),
            Cell::Number(number) => number.map_or(Value::Null, Value::from),
            Cell::Flag(flag) => flag.map_or(Value::Null, Value::from),
        }
    }
}

/// A table: the columns of its key first.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// How many of the columns are the key.
    pub(crate) key: usize,
    pub(crate) columns: Vec<(String, Kind)>,
}

fn names(columns: &[(String, Kind)]) -> String {
    columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

fn places(count: usize) -> String {
    (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// The next rows in the order of keys, after the key that is bound if `after`.
    pub(crate) fn select(&self, after: bool) -> String {
        let (all, keys) = (names(&self.columns), names(&self.columns[..self.key]));
        let after = match after {
            true => format!("where ({keys}) > ({}) ", places(self.key)),
            false => String::new(),
        };
        format!("select {all} from {} {after}order by {keys} limit {ROWS}", self.name)
    }

    pub(crate) fn insert(&self) -> String {
        let places = places(self.columns.len());
        format!("insert into {} ({}) values ({places})", self.name, names(&self.columns))
    }

    /// A row as a line of JSON, the same on both databases.
    pub(crate) fn line(&self, cells: &[Cell]) -> String {
        let columns = self.columns.iter().zip(cells);
        let values: Map<String, Value> =
            columns.map(|((name, _), cell)| (name.clone(), cell.to_json())).collect();
        let mut entry = Map::new();
        entry.insert(self.name.clone(), Value::Object(values));
        Value::Object(entry).to_string()
    }
}

/// Table, column, type, and the column's place in the key (0 if it has none); by table and column.
pub(crate) type Described = (String, String, String, i64);

/// The statement that gives [`Described`].
pub(crate) fn describe(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => SQLITE_TABLES,
        Backend::Postgres => POSTGRES_TABLES,
    }
}

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

/// The tables, by name.
///
/// # Errors
/// [`StoreError::Misconfigured`] if the database has what no version of this program made.
pub(crate) fn tables(described: Vec<Described>) -> Result<Vec<Table>, StoreError> {
    let foreign = |what: &str| {
        StoreError::misconfigured(format!(
            "The database has {what}, which no version of this program made; use a database of its own."
        ))
    };
    let mut tables: Vec<Table> = Vec::new();
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
            tables.push(Table { name: table, key, columns: columns.collect() });
        }
    }
    Ok(tables)
}

/// Reads the cells of a row, of either driver.
macro_rules! cells {
    ($row:expr, $table:expr) => {{
        let mut cells = Vec::with_capacity($table.columns.len());
        for (at, (_, kind)) in $table.columns.iter().enumerate() {
            cells.push(match kind {
                $crate::catalog::Kind::Text => $crate::catalog::Cell::Text($row.try_get(at)?),
                $crate::catalog::Kind::Number => $crate::catalog::Cell::Number($row.try_get(at)?),
                $crate::catalog::Kind::Flag => $crate::catalog::Cell::Flag($row.try_get(at)?),
            });
        }
        cells
    }};
}

/// Binds cells to a statement, of either driver.
macro_rules! bound {
    ($query:expr, $cells:expr) => {{
        let mut query = $query;
        for cell in $cells {
            query = match cell {
                $crate::catalog::Cell::Text(text) => query.bind(text.clone()),
                $crate::catalog::Cell::Number(number) => query.bind(*number),
                $crate::catalog::Cell::Flag(flag) => query.bind(*flag),
            };
        }
        query
    }};
}

pub(crate) use {bound, cells};
