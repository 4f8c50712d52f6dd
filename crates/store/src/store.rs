//! The handle of an open database.

use std::time::Duration;

use crate::pool::Pool;
use crate::{Backend, ConnectOptions, StoreError};

/// An open database. Cheap to clone: clones share the same connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: Pool,
}

impl Store {
    /// Opens `sqlite:PATH` (the file and its folder are created, readable by their owner alone) or
    /// `postgres://user:password@host/database`. Changes no table: call [`Store::migrate`] for that.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the URL or what it names cannot be used, [`StoreError::Unavailable`] if the
    /// server does not answer now. Neither repeats a PostgreSQL URL, because it may hold a password.
    pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        Ok(Self { pool: Pool::connect(url, options).await? })
    }

    #[must_use]
    pub fn backend(&self) -> Backend {
        self.pool.backend()
    }

    /// Whether a pooler in transaction mode is between this program and PostgreSQL.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        matches!(&self.pool, Pool::Postgres(db) if db.is_pooled())
    }

    /// Checks with the cheapest statement that the database answers within `within`.
    ///
    /// On SQLite it also checks that the opened file is still at its path: writes to a deleted or replaced file are
    /// lost.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] in every other case.
    pub async fn ping(&self, within: Duration) -> Result<(), StoreError> {
        self.pool.ping(within).await
    }

    /// Waits for running calls, then closes every connection. On SQLite the write-ahead log is folded into the file.
    /// Not needed for durability; later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
