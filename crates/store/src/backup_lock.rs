//! A lock for work that only one process may do at a time. PostgreSQL only: processes that share a SQLite file share
//! a folder, which can be locked.

use sqlx::PgConnection;

use crate::pool::Pool;
use crate::{Store, StoreError};

/// The lock of backups; an arbitrary constant.
const BACKUP: i64 = 4_207_849_484_712;

/// A held lock. It belongs to the connection, so that the server releases it when a process is killed.
#[derive(Debug)]
pub struct BackupLock(
    #[expect(dead_code, reason = "open for as long as the turn is held")] Option<PgConnection>,
);

impl Store {
    /// Waits for the lock of backups. Returns at once on SQLite.
    pub async fn lock_backups(&self) -> Result<BackupLock, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(BackupLock(None)) };
        let mut own = pool.acquire().await?.detach();
        sqlx::query("select pg_advisory_lock($1)").bind(BACKUP).execute(&mut own).await?;
        Ok(BackupLock(Some(own)))
    }
}
