//! Schema of the database: pending and applied migrations.

use super::{Error, access::store};
use crate::app::App;

pub async fn list_pending(app: &App) -> Result<Vec<&'static str>, Error> {
    Ok(store(app)?.check_schema().await?.pending)
}

/// Checks that the schema is current, without changing it.
pub async fn require_current(app: &App) -> Result<(), Error> {
    let state = store(app)?.check_schema().await?;
    if state.is_current() {
        return Ok(());
    }
    let found = match state.version {
        0 => "The database is empty".to_owned(),
        version => format!(
            "The database has schema {version}, which is older than this program's: {} migrations are pending",
            state.pending.len()
        ),
    };
    Err(Error::Unavailable(format!(
        "{found}. This command applies no migrations. Create a backup, then run `ba-copilot migrate` or start the \
         server."
    )))
}

/// All migrations, for a database that does not exist yet.
pub fn list_all() -> Vec<&'static str> {
    store::Store::migrations()
}

/// Applies pending migrations in one transaction. Of several processes, one does it and the others wait.
pub async fn migrate(app: &App) -> Result<Vec<&'static str>, Error> {
    Ok(store(app)?.migrate(app.clock.now_us()).await?.applied)
}

/// Copies all data into an empty database in one transaction; returns the number of rows by table.
pub async fn copy(from: &App, to: &App) -> Result<Vec<(&'static str, u64)>, Error> {
    Ok(store(from)?.copy_into(store(to)?).await?.rows)
}
