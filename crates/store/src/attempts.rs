//! Rate limits in the database: attempts at what can be guessed, and messages sent, by bucket and time window.
//!
//! An attempt is counted before it is carried out ([`Store::reserve_attempts`]) and given back if it is harmless.
//! Checking first and counting afterwards would let through as many as arrive at the same moment. The table is called
//! `sign_in_failures` after its first use.

use crate::pool::in_transaction;
use crate::{Store, StoreError, TimeUs};

/// The most attempts that a bucket allows in a window of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptLimit {
    /// The name of the bucket. It must not contain an address or a secret in the clear.
    pub bucket: String,
    /// The most attempts in a window.
    pub max: u32,
}

/// The answer to a request for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptDecision {
    /// The attempt is counted in every bucket and may be carried out.
    Reserved,
    /// A bucket is full, and nothing was counted.
    Full {
        /// When the window of that bucket began.
        since: TimeUs,
    },
}

impl Store {
    /// Counts an attempt in all of these buckets, or in none if one of them is full. Atomic for all processes on the
    /// database. A window that began before `window_start` is over, and a new one begins at `at`.
    pub async fn reserve_attempts(
        &self,
        limits: &[AttemptLimit],
        at: TimeUs,
        window_start: TimeUs,
    ) -> Result<AttemptDecision, StoreError> {
        // Always in the same order, so that two transactions never wait for each other.
        let mut ordered: Vec<&AttemptLimit> = limits.iter().collect();
        ordered.sort();
        in_transaction!(&self.pool, tx => {
            for limit in ordered {
                let counted = sqlx::query(
                    "insert into sign_in_failures (bucket, failures, since) values ($1, 1, $2) \
                     on conflict (bucket) do update set \
                     failures = case when sign_in_failures.since < $3 then 1 else sign_in_failures.failures + 1 end, \
                     since = case when sign_in_failures.since < $3 then excluded.since else sign_in_failures.since end \
                     where sign_in_failures.since < $3 or sign_in_failures.failures < $4",
                )
                .bind(&limit.bucket).bind(at).bind(window_start).bind(i64::from(limit.max))
                .execute(&mut *tx).await?;
                if counted.rows_affected() == 0 {
                    let since = sqlx::query_scalar("select since from sign_in_failures where bucket = $1")
                        .bind(&limit.bucket).fetch_one(&mut *tx).await?;
                    // Leaving here rolls the other buckets back.
                    return Ok(AttemptDecision::Full { since });
                }
            }
        });
        Ok(AttemptDecision::Reserved)
    }

    /// Gives back an attempt that was reserved at `reserved_at`, unless the window of its bucket is over.
    pub async fn give_back_attempts(&self, buckets: &[&str], reserved_at: TimeUs) -> Result<(), StoreError> {
        let mut ordered = buckets.to_vec();
        ordered.sort_unstable();
        in_transaction!(&self.pool, tx => {
            for bucket in ordered {
                sqlx::query(
                    "update sign_in_failures set failures = failures - 1 \
                     where bucket = $1 and failures > 0 and since <= $2",
                )
                .bind(bucket).bind(reserved_at)
                .execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    pub async fn clear_attempts(&self, bucket: &str) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("delete from sign_in_failures where bucket = $1").bind(bucket).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
