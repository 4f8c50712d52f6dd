//! The turn at something that one process does at a time, wherever it runs. PostgreSQL only: processes that share a file of SQLite share a
//! folder, which can be locked.

use sqlx::PgConnection;

use crate::pool::Pool;
use crate::{Store, StoreError};

/// Of everybody who makes backups; any number that nobody else takes.
const BACKUP: i64 = 4_207_849_484_712;

/// A turn, for as long as it lives. It is the connection that has it, so that the server gives it on when a process is killed.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "open for as long as the turn is held")] Option<PgConnection>);

impl Store {
    /// Waits for the turn to make a backup. On SQLite it is there at once, and keeps nobody from anything.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn wait_for_turn(&self) -> Result<Turn, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(Turn(None)) };
        let mut own = pool.acquire().await?.detach();
        sqlx::query("select pg_advisory_lock($1)").bind(BACKUP).execute(&mut own).await?;
        Ok(Turn(Some(own)))
    }
}
