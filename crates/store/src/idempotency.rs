//! Idempotent requests: the outcome of each, by the hash of its idempotency key. Never sees the key, and never
//! decrypts an answer.

use crate::pool::in_transaction;
use crate::row::row;
use crate::{Store, StoreError, TimeUs};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// A hash of the request: the same key with another request is an error.
    pub fingerprint: String,
    /// The attempt that carries it out.
    pub attempt: String,
    /// Until when that attempt is believed to be alive.
    pub lease_until: TimeUs,
    /// The id of the changed resource, if any yet.
    pub subject: Option<String>,
    /// The encrypted answer, when there is one.
    pub answer: Option<String>,
}

row!(IdempotentRequest { fingerprint, attempt, lease_until, subject, answer });

#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    pub key_hash: &'a str,
    /// A hash of the request.
    pub fingerprint: &'a str,
    /// A unique name of this attempt.
    pub attempt: &'a str,
    /// Until when this attempt is believed to be alive.
    pub lease_until: TimeUs,
    /// How long the key is stored.
    pub expires_at: TimeUs,
}

impl Store {
    /// Starts a request. `None` if this attempt carries it out; else the state of the earlier one.
    ///
    /// Replaces an attempt whose lease has expired and that has changed nothing.
    pub async fn begin_request(
        &self,
        request: &NewRequest<'_>,
        now: TimeUs,
    ) -> Result<Option<IdempotentRequest>, StoreError> {
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

    /// Renews the lease of an attempt. False if another one has taken over.
    pub async fn renew_request_lease(
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

    /// Stores the answer of a request that changed something. A request that changed nothing is deleted, so that it
    /// can be sent again.
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

    /// Deletes a batch of expired requests.
    pub async fn delete_expired_requests(&self, now: TimeUs) -> Result<(), StoreError> {
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
