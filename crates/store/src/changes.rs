//! Hearing that something has changed, instead of asking again and again. Never says what: whoever hears reads.
//!
//! On PostgreSQL the server tells every process that listens (triggers on `audit_events` and `jobs`); a SQLite file is served
//! by one process, which tells itself. What another program writes to the file is not heard, so listeners also look from time
//! to time.

use sqlx::postgres::PgListener;
use tokio::sync::watch;

use crate::pool::Pool;
use crate::{Store, StoreError};

/// What the triggers call.
const CHANNEL: &str = "ba_copilot";

/// Hears that something has changed.
#[derive(Debug)]
pub struct Changes(Way);

#[derive(Debug)]
enum Way {
    Here(watch::Receiver<u64>),
    Server(Box<PgListener>),
}

impl Store {
    /// Begins to listen. On PostgreSQL this takes a connection until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server does not answer now.
    pub async fn listen(&self) -> Result<Changes, StoreError> {
        Ok(Changes(match &self.pool {
            Pool::Sqlite { committed, .. } => Way::Here(committed.subscribe()),
            Pool::Postgres(pool) => {
                let mut listener = PgListener::connect_with(pool).await?;
                listener.listen(CHANNEL).await?;
                Way::Server(Box::new(listener))
            }
        }))
    }
}

impl Changes {
    /// Waits until something may have changed since the last call, however often.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the connection broke and could not be made again: listen anew, and look meanwhile.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            Way::Here(committed) => {
                committed.changed().await.map_err(|_| StoreError::unavailable("the store is closed"))
            }
            Way::Server(listener) => {
                // None is a connection that was made again: something may have been missed.
                let _ = listener.try_recv().await?;
                while listener.next_buffered().is_some() {}
                Ok(())
            }
        }
    }
}
