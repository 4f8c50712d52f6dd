//! Requests that are carried out once, however often they are sent: what became of each, by the hash of the key that its
//! caller chose. Never sees the key, and never opens an answer.

use crate::pool::in_transaction;
use crate::row::row;
use crate::{Store, StoreError, TimeUs};

/// A request that is to be carried out once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceRequest {
    /// A hash of what it asks for: the same key for something else is a mistake.
    pub fingerprint: String,
    /// Which attempt carries it out.
    pub attempt: String,
    /// Until when that attempt is believed to be alive.
    pub lease_until: TimeUs,
    /// The id of what it changed, once it has.
    pub subject: Option<String>,
    /// What was answered, sealed; none until then.
    pub answer: Option<String>,
}

row!(OnceRequest { fingerprint, attempt, lease_until, subject, answer });

/// A request that comes in.
#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    /// The hash of the key.
    pub key_hash: &'a str,
    /// A hash of what it asks for.
    pub fingerprint: &'a str,
    /// A name for this attempt, never used before.
    pub attempt: &'a str,
    /// Until when this attempt is to be believed alive.
    pub lease_until: TimeUs,
    /// Until when the key is remembered.
    pub expires_at: TimeUs,
}

/// Notes in the transaction of a change that it was made for this request. Nothing, if another attempt has taken over.
pub(crate) const MARK_REQUEST: &str = "\
    update idempotent_requests set subject = coalesce(subject, $3) where key_hash = $1 and attempt = $2";

impl Store {
    /// Begins to carry out a request. None if this attempt is to do so; otherwise what is known of the one before.
    ///
    /// An attempt that is not believed alive any more and has changed nothing is replaced by this one.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn begin_request(
        &self,
        request: &NewRequest<'_>,
        now: TimeUs,
    ) -> Result<Option<OnceRequest>, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let begun = sqlx::query(
                "insert into idempotent_requests \
                 (key_hash, fingerprint, attempt, lease_until, subject, answer, created_at, expires_at) \
                 values ($1, $2, $3, $4, null, null, $5, $6) \
                 on conflict (key_hash) do update set fingerprint = excluded.fingerprint, attempt = excluded.attempt, \
                     lease_until = excluded.lease_until, subject = null, answer = null, \
                     created_at = excluded.created_at, expires_at = excluded.expires_at \
                 where idempotent_requests.expires_at <= $5 \
                     or (idempotent_requests.subject is null and idempotent_requests.lease_until <= $5 \
                         and idempotent_requests.fingerprint = excluded.fingerprint)",
            )
            .bind(request.key_hash).bind(request.fingerprint).bind(request.attempt).bind(request.lease_until)
            .bind(now).bind(request.expires_at)
            .execute(&mut *tx).await?;
            match begun.rows_affected() {
                0 => Some(
                    sqlx::query_as(
                        "select fingerprint, attempt, lease_until, subject, answer from idempotent_requests \
                         where key_hash = $1",
                    )
                    .bind(request.key_hash).fetch_one(&mut *tx).await?,
                ),
                _ => None,
            }
        }))
    }

    /// This attempt is still alive. False if another one has taken over.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn hold_request(
        &self,
        key_hash: &str,
        attempt: &str,
        until: TimeUs,
    ) -> Result<bool, StoreError> {
        let held = in_transaction!(&self.pool, tx => {
            sqlx::query("update idempotent_requests set lease_until = $3 where key_hash = $1 and attempt = $2")
                .bind(key_hash).bind(attempt).bind(until).execute(&mut *tx).await?.rows_affected()
        });
        Ok(held > 0)
    }

    /// Keeps the answer of a request that changed something. One that changed nothing is forgotten, so that it may be sent
    /// again.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn end_request(
        &self,
        key_hash: &str,
        attempt: &str,
        answer: Option<&str>,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update idempotent_requests set answer = $3 where key_hash = $1 and attempt = $2")
                .bind(key_hash).bind(attempt).bind(answer).execute(&mut *tx).await?;
            sqlx::query("delete from idempotent_requests where key_hash = $1 and attempt = $2 and subject is null")
                .bind(key_hash).bind(attempt).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Forgets requests whose time is over, some at a time.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_requests(&self, now: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(
                "delete from idempotent_requests where key_hash in (select key_hash from idempotent_requests \
                 where expires_at <= $1 order by expires_at limit 1000)",
            )
            .bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
