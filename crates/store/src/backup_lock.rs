//! A lock for work that only one process may do at a time. PostgreSQL only: processes that share a SQLite file share
//! a folder, which can be locked.

use crate::pool::Pool;
use crate::postgres::PgTransaction;
use crate::{Store, StoreError};

/// The lock of backups; an arbitrary constant.
const BACKUP: i64 = 4_207_849_484_712;

/// A held lock. It belongs to a transaction: the server releases it when a process is killed, and a pooler keeps the
/// connection.
#[derive(Debug)]
pub struct BackupLock(
    #[expect(dead_code, reason = "open for as long as the turn is held")] Option<PgTransaction>,
);

impl Store {
    /// Waits for the lock of backups. Returns at once on SQLite.
    pub async fn lock_backups(&self) -> Result<BackupLock, StoreError> {
        let Pool::Postgres(db) = &self.pool else { return Ok(BackupLock(None)) };
        let mut own = db.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(BACKUP).execute(&mut *own).await?;
        Ok(BackupLock(Some(own)))
    }
}
