//! Change notifications, instead of polling. A notification says that something changed, not what.
//!
//! On PostgreSQL, triggers on `audit_events` and `jobs` notify every listening process. A SQLite file is served by
//! one process, which notifies itself; changes by other programs are missed, so listeners also poll at long
//! intervals.

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;

use crate::pool::Pool;
use crate::postgres::options;
use crate::{Store, StoreError};

/// The channel of the triggers.
const CHANNEL: &str = "ba_copilot";

const POOLED: &str = "PostgreSQL is behind a pooler in transaction mode, which passes on no notifications; set \
                      DATABASE_DIRECT_URL to the address of the server itself.";

/// Waits for notifications.
#[derive(Debug)]
pub struct Notifications(Way);

#[derive(Debug)]
enum Way {
    Here(watch::Receiver<u64>),
    Server(Box<PgListener>),
}

impl Store {
    /// Starts to listen. On PostgreSQL this holds a connection until it is dropped: one of its own if `direct_url`
    /// names the server without a pooler.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server does not answer now, [`StoreError::Misconfigured`] behind a pooler
    /// in transaction mode without `direct_url`.
    pub async fn listen(&self, direct_url: Option<&str>) -> Result<Notifications, StoreError> {
        Ok(Notifications(match &self.pool {
            Pool::Sqlite { committed, .. } => Way::Here(committed.subscribe()),
            Pool::Postgres(db) => {
                let pool = match direct_url {
                    Some(url) => PgPoolOptions::new()
                        .max_connections(1)
                        .max_lifetime(None)
                        .idle_timeout(None)
                        .connect_lazy_with(options(url)?),
                    None if db.is_pooled() => return Err(StoreError::misconfigured(POOLED)),
                    None => db.pool().clone(),
                };
                let mut listener = PgListener::connect_with(&pool).await?;
                listener.listen(CHANNEL).await?;
                Way::Server(Box::new(listener))
            }
        }))
    }
}

impl Notifications {
    /// Waits until something may have changed since the last call.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the connection broke and could not be restored: listen again, and read
    /// meanwhile.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            Way::Here(committed) => {
                committed.changed().await.map_err(|_| StoreError::unavailable("the store is closed"))
            }
            Way::Server(listener) => {
                // `None` is a restored connection: notifications may have been lost.
                let _ = listener.try_recv().await?;
                while listener.next_buffered().is_some() {}
                Ok(())
            }
        }
    }
}
