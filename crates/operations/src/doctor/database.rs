//! The database, whichever it is.

use store::{Backend, StoreError};

use super::{Bench, Outcome, context::Database};

pub(super) async fn opens(bench: &Bench) -> Outcome {
    match (&bench.database, bench.app()) {
        (_, Err(outcome)) => outcome,
        (Database::NotTried(why), _) => Outcome::skipped(*why),
        (Database::NotYet, _) => Outcome::ok("there is none yet; the first start makes it"),
        (Database::Failed(error), _) => Outcome::problem(
            error.to_string(),
            "See that DATABASE_URL or data.dir name the right one, and, with PostgreSQL, that it runs and lets this machine in.",
        ),
        (Database::Open(_), Ok(app)) => match &app.store {
            Some(store) => Outcome::ok(store.backend().to_string()),
            None => Outcome::skipped("it was not opened"),
        },
    }
}

pub(super) async fn schema(bench: &Bench) -> Outcome {
    if let Err(outcome) = bench.opened() {
        return outcome;
    }
    match &bench.database {
        Database::Open(Ok(state)) => match state.pending.as_slice() {
            [] => Outcome::ok(format!("schema {}", state.version)),
            pending => Outcome::warning(
                format!("schema {}, and {} steps are to be applied", state.version, pending.len()),
                "Make a backup, then run `ba-copilot migrate`, or start the server, which does it.",
            ),
        },
        Database::Open(Err(StoreError::NewerSchema { found, known })) => Outcome::problem(
            format!("schema {found} was written by a newer program; this one knows up to {known}"),
            "Run the newer program, or restore a backup made before the upgrade.",
        ),
        Database::Open(Err(StoreError::ForeignDatabase)) => Outcome::problem(
            "the tables are those of another program",
            "Set DATABASE_URL or data.dir to a database of this program, or to an empty one. Nothing was changed in this one.",
        ),
        Database::Open(Err(_)) if bench.is_kept_from_tables() => {
            Outcome::skipped("this user may not read the tables")
        }
        Database::Open(Err(error)) => {
            Outcome::problem(error.to_string(), "Run the program that made it, or restore a backup.")
        }
        _ => Outcome::skipped("it is not open"),
    }
}

pub(super) async fn integrity(bench: &Bench) -> Outcome {
    let store = match bench.opened() {
        Ok((_, store)) if store.backend() == Backend::Postgres => {
            return Outcome::skipped("PostgreSQL looks after its pages itself");
        }
        Ok((_, store)) => store,
        Err(outcome) => return outcome,
    };
    let cure = "Stop the server, keep a copy of the file, and restore the newest backup (`ba-copilot backup restore`). Look at the disk and at memory: SQLite does not damage its files by itself.";
    match store.find_damage().await {
        Ok(damage) => match damage.first() {
            None => Outcome::ok("every page was read"),
            Some(first) => Outcome::problem(format!("SQLite says: {}", first.replace('\n', " ")), cure),
        },
        Err(error) => Outcome::problem(error.to_string(), cure),
    }
}

pub(super) async fn foreign_keys(bench: &Bench) -> Outcome {
    let store = match bench.current() {
        Ok((_, store)) if store.backend() == Backend::Postgres => {
            return Outcome::skipped("PostgreSQL never lets it come to that");
        }
        Ok((_, store)) => store,
        Err(outcome) => return outcome,
    };
    match store.find_dangling_rows().await {
        Ok(rows) => match rows.first() {
            None => Outcome::ok("every row was followed"),
            Some((table, count)) => Outcome::problem(
                format!("{count} rows of the table {table} point to what is not there"),
                "Somebody changed the file with another program. Restore the newest backup that `ba-copilot backup verify` accepts.",
            ),
        },
        // Damage is told by another check.
        Err(error) => Outcome::skipped(error.to_string()),
    }
}
