//! The database, SQLite or PostgreSQL.

use store::{Backend, StoreError};

use super::context::{CheckContext, Database};
use crate::diagnostics::{CheckResult, Outcome};

pub(super) async fn opens(context: &CheckContext) -> CheckResult {
    Ok(match (&context.database, context.app()?) {
        (Database::NotOpened(why), _) => Outcome::skipped(*why),
        (Database::Missing, _) => Outcome::ok("there is none yet; the first start creates it"),
        (Database::Failed(error), _) => Outcome::failed(
            error.to_string(),
            "Check that DATABASE_URL or data.dir name the right one and, with PostgreSQL, that the server runs and \
             accepts connections from this machine.",
        ),
        (Database::Open(_), app) => match &app.store {
            Some(store) => Outcome::ok(store.backend().to_string()),
            None => Outcome::skipped("it was not opened"),
        },
    })
}

pub(super) async fn schema(context: &CheckContext) -> CheckResult {
    context.opened()?;
    Ok(match &context.database {
        Database::Open(Ok(state)) => match state.pending.as_slice() {
            [] => Outcome::ok(format!("schema {}", state.version)),
            pending => Outcome::warning(
                format!("schema {}, and {} migrations are pending", state.version, pending.len()),
                "Create a backup, then run `ba-copilot migrate` or start the server, which migrates too.",
            ),
        },
        Database::Open(Err(StoreError::NewerSchema { found, known })) => Outcome::failed(
            format!("schema {found} is of a newer program; this one supports up to {known}"),
            "Use the newer program, or restore a backup from before the upgrade.",
        ),
        Database::Open(Err(StoreError::ForeignDatabase)) => Outcome::failed(
            "the database belongs to another program",
            "Set DATABASE_URL or data.dir to a database of this program, or to an empty one. This one was not changed.",
        ),
        Database::Open(Err(_)) if context.lacks_table_access() => {
            Outcome::skipped("this user cannot read the tables")
        }
        Database::Open(Err(error)) => {
            Outcome::failed(error.to_string(), "Use the program that wrote it, or restore a backup.")
        }
        _ => Outcome::skipped("it is not open"),
    })
}

pub(super) async fn integrity(context: &CheckContext) -> CheckResult {
    let (_, store) = context.opened()?;
    if store.backend() == Backend::Postgres {
        return Ok(Outcome::skipped("PostgreSQL checks its pages itself"));
    }
    let cure = "Stop the server, keep a copy of the file, and restore the newest backup (`ba-copilot backup restore`). \
                Check the disk and the memory of this machine: they are the usual causes.";
    Ok(match store.find_damage().await {
        Ok(damage) => match damage.first() {
            None => Outcome::ok("every page is readable"),
            Some(first) => Outcome::failed(format!("SQLite reports: {}", first.replace('\n', " ")), cure),
        },
        Err(error) => Outcome::failed(error.to_string(), cure),
    })
}

pub(super) async fn foreign_keys(context: &CheckContext) -> CheckResult {
    let (_, store) = context.current()?;
    if store.backend() == Backend::Postgres {
        return Ok(Outcome::skipped("PostgreSQL enforces foreign keys itself"));
    }
    Ok(match store.find_dangling_rows().await {
        Ok(rows) => match rows.first() {
            None => Outcome::ok("no row is missing"),
            Some((table, count)) => Outcome::failed(
                format!("{count} rows of the table {table} refer to missing rows"),
                "Another program changed the file. Restore the newest backup that `ba-copilot backup verify` accepts.",
            ),
        },
        // Damage is reported by another check.
        Err(error) => Outcome::skipped(error.to_string()),
    })
}
