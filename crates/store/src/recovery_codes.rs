//! Recovery codes: each replaces the code of the second factor once. Stored as hashes; `users.rs` sets and deletes
//! them with the second factor.

use crate::account_statements::{DELETE_RECOVERY_CODES, INSERT_RECOVERY_CODE, lock_account};
use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::{NewAuditEvent, Resource, SessionId, Store, StoreError, UserId};

impl Store {
    /// Replaces the recovery codes of a user with a second factor.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no second factor, [`StoreError::SignedOut`] if the session has ended.
    pub async fn replace_recovery_codes(
        &self,
        user: &UserId,
        hashes: &[String],
        session: Option<&SessionId>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            lock_account!(tx, user, session);
            let locked = sqlx::query("update users set updated_at = $2 where id = $1 and second_factor is not null")
                .bind(user).bind(audit.at).execute(&mut *tx).await?;
            if locked.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::SecondFactor });
            }
            sqlx::query(DELETE_RECOVERY_CODES).bind(user).execute(&mut *tx).await?;
            for hash in hashes {
                sqlx::query(INSERT_RECOVERY_CODE).bind(hash).bind(user).bind(audit.at).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The number of unused codes.
    pub async fn count_recovery_codes(&self, user: &UserId) -> Result<u32, StoreError> {
        let left: i64 = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select count(*) from recovery_codes where user_id = $1")
                .bind(user).fetch_one(db).await
        })?;
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Uses a code: of concurrent callers, one succeeds. False if it is unknown or used; nothing is written then.
    pub async fn use_recovery_code(
        &self,
        user: &UserId,
        hash: &str,
        audit: &NewAuditEvent,
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let used = sqlx::query("delete from recovery_codes where user_id = $1 and secret_hash = $2")
                .bind(user).bind(hash).execute(&mut *tx).await?
                .rows_affected() == 1;
            if used {
                record_audit!(tx, audit);
            }
            used
        }))
    }
}
