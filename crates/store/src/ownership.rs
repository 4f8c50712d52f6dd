//! Whether a database belongs to this program, to another one, or is empty: checked before anything in it is changed.
//!
//! A database is ours when its migration history starts with our first migration.

use sqlx::SqliteConnection;

use crate::StoreError;
use crate::postgres::Session;

/// Version, checksum and name of each migration that was applied, oldest first.
pub(crate) type History = Vec<(i64, Vec<u8>, String)>;

/// The first migration of every database of this program. A test compares it with the table of migrations.
pub(crate) const FIRST_MIGRATION: (i64, &str) = (1, "0001_projects_diagrams_generations");

const HISTORY: &str = "select version, checksum, description from _sqlx_migrations order by version";

/// The history of a SQLite file, empty for one without tables.
///
/// # Errors
/// [`StoreError::ForeignDatabase`] if the tables are those of another program.
pub(crate) async fn sqlite_history(db: &mut SqliteConnection) -> Result<History, StoreError> {
    // SQLite and PostgreSQL list their tables in different places.
    let columns: i64 = sqlx::query_scalar(
        "select count(*) from pragma_table_info('_sqlx_migrations')
         where name in ('version', 'checksum', 'description')",
    )
    .fetch_one(&mut *db)
    .await?;
    let others: bool = sqlx::query_scalar(
        "select exists (
           select 1 from sqlite_schema
           where name not like 'sqlite\\_%' escape '\\' and ($1 < 3 or tbl_name <> '_sqlx_migrations'))",
    )
    .bind(columns)
    .fetch_one(&mut *db)
    .await?;
    let history = if columns == 3 {
        sqlx::query_as(HISTORY).fetch_all(db).await.map_err(of_other_types)?
    } else {
        Vec::new()
    };
    of_this_program(history, others)
}

/// The same for PostgreSQL. What belongs to an extension does not count. In the schema `public`, the default of a
/// connection, tables of this user in other schemas count too: such a database was made for another program.
pub(crate) async fn postgres_history(db: &mut Session) -> Result<History, StoreError> {
    let columns: i64 = sqlx::query_scalar(
        "select count(*) from pg_catalog.pg_attribute
         where attrelid = to_regclass('_sqlx_migrations') and not attisdropped
           and attname in ('version', 'checksum', 'description')",
    )
    .fetch_one(&mut *db)
    .await?;
    let others: bool = sqlx::query_scalar(
        "select exists (
           select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and ($1 < 3 or c.relname <> '_sqlx_migrations')
             and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
             and n.nspname not like 'pg\\_temp\\_%' and n.nspname not like 'pg\\_toast\\_temp\\_%'
             and (n.nspname = current_schema()
                  or current_schema() = 'public' and pg_get_userbyid(c.relowner) = current_user)
             and not exists (
               select 1 from pg_catalog.pg_depend d
               where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))",
    )
    .bind(columns)
    .fetch_one(&mut *db)
    .await?;
    let history = if columns == 3 {
        sqlx::query_as(HISTORY).fetch_all(db).await.map_err(of_other_types)?
    } else {
        Vec::new()
    };
    of_this_program(history, others)
}

/// Columns of the same names with other types are another program's.
fn of_other_types(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. } => StoreError::ForeignDatabase,
        other => other.into(),
    }
}

fn of_this_program(history: History, others: bool) -> Result<History, StoreError> {
    let (version, name) = FIRST_MIGRATION;
    let ours = match history.as_slice() {
        [] => !others,
        rows => rows.iter().any(|(applied, _, said)| *applied == version && said == name),
    };
    if ours { Ok(history) } else { Err(StoreError::ForeignDatabase) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_ours_by_its_first_migration() {
        let (version, name) = FIRST_MIGRATION;
        let row = |version: i64, name: &str| (version, vec![1], name.to_owned());
        for (history, others, ours) in [
            (vec![], false, true),
            (vec![], true, false),
            (vec![row(version, name)], true, true),
            (vec![row(version, name), row(2, "0002_added")], true, true),
            (vec![row(version, "init")], true, false),
            (vec![row(20_240_101_120_000, "create users")], true, false),
            (vec![row(20_240_101_120_000, name)], false, false),
        ] {
            let found = of_this_program(history.clone(), others);
            assert_eq!(found.is_ok(), ours, "{history:?} {others}");
        }
    }
}
