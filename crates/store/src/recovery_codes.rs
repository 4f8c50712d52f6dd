//! Recovery codes: each is good once instead of a code of the second factor. Knows hashes only; `users.rs` takes them
//! along when a second factor comes or goes.

use crate::audit::keep_audit;
use crate::credentials::lock_account;
use crate::pool::{in_transaction, on_pool};
use crate::{NewAuditEvent, SessionId, Store, StoreError, UserId};

pub(crate) const DELETE_RECOVERY_CODES: &str = "delete from recovery_codes where user_id = $1";
pub(crate) const INSERT_RECOVERY_CODE: &str =
    "insert into recovery_codes (secret_hash, user_id, created_at) values ($1, $2, $3)";

impl Store {
    /// Gives somebody who has a second factor these codes instead of those they have.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if they have no second factor, [`StoreError::SignedOut`] if the session has ended.
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
                return Err(StoreError::NotFound { what: "second factor" });
            }
            sqlx::query(DELETE_RECOVERY_CODES).bind(user).execute(&mut *tx).await?;
            for hash in hashes {
                sqlx::query(INSERT_RECOVERY_CODE).bind(hash).bind(user).bind(audit.at).execute(&mut *tx).await?;
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// How many codes somebody has left.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn count_recovery_codes(&self, user: &UserId) -> Result<u32, StoreError> {
        let left: i64 = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select count(*) from recovery_codes where user_id = $1")
                .bind(user).fetch_one(db).await
        })?;
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Uses up a code: of two who try, one does. False if it is none of theirs, or not any more; nothing is written then.
    ///
    /// # Errors
    /// Only those of the database.
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
                keep_audit!(tx, audit);
            }
            used
        }))
    }
}
