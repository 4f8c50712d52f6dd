//! The tables of the database: what would change, and changing it.

use super::{Error, access::store};
use crate::app::App;

/// What the database lacks.
pub async fn list_pending(app: &App) -> Result<Vec<&'static str>, Error> {
    Ok(store(app)?.check_schema().await?.pending)
}

/// Sees that the tables are those of this program, and changes nothing.
pub async fn require_current(app: &App) -> Result<(), Error> {
    let state = store(app)?.check_schema().await?;
    if state.is_current() {
        return Ok(());
    }
    let found = match state.version {
        0 => "The database is empty".to_owned(),
        version => format!(
            "The database has schema {version}, which is older than this program's: {} steps are to be applied",
            state.pending.len()
        ),
    };
    Err(Error::Unavailable(format!(
        "{found}. This command changes no table. Make a backup, then run `ba-copilot migrate`, or start the server, which does it."
    )))
}

/// Every step there is, for a database that does not exist yet.
pub fn list_all() -> Vec<&'static str> {
    store::Store::migrations()
}

/// Applies what is pending, all of it or nothing. Of several processes, one does it and the others wait.
pub async fn migrate(app: &App) -> Result<Vec<&'static str>, Error> {
    Ok(store(app)?.migrate(app.clock.now_us()).await?.applied)
}

/// Copies everything that one product keeps into another one, which keeps nothing yet; all of it or nothing. Says how
/// many rows of which table.
pub async fn copy(from: &App, to: &App) -> Result<Vec<(&'static str, u64)>, Error> {
    Ok(store(from)?.copy_into(store(to)?).await?.rows)
}
