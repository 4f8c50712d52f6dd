//! Sessions of signed-in users. Stores hashes of secrets; expiry is a parameter.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::users::LOCK_USER;
use crate::{Field, NewAuditEvent, Resource, SessionId, Store, StoreError, TimeUs, User, UserId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// Hash of the secret in the cookie.
    pub secret_hash: String,
    /// Hash of the previous secret, valid for a moment after a rotation.
    pub previous_hash: Option<String>,
    pub user_id: UserId,
    /// The user agent.
    pub device: String,
    pub created_at: TimeUs,
    pub rotated_at: TimeUs,
    /// To the minute.
    pub seen_at: TimeUs,
    /// Absolute expiry.
    pub expires_at: TimeUs,
}

row!(
    Session,
    session_columns {
        id,
        secret_hash,
        previous_hash,
        user_id,
        device,
        created_at,
        rotated_at,
        seen_at,
        expires_at,
    }
);

impl Store {
    /// Creates a session, and stores the device. The account must still have the password (its hash) with which the
    /// user authenticated.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the device's name holds U+0000, [`StoreError::SignedOut`] if the password has
    /// changed or the account is disabled.
    pub async fn create_session(
        &self,
        session: &Session,
        device_hash: &str,
        password_hash: Option<&str>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text(Field::Device, &session.device)?;
        in_transaction!(&self.pool, tx => {
            let account: Option<User> =
                sqlx::query_as(LOCK_USER).bind(&session.user_id).fetch_optional(&mut *tx).await?;
            let unchanged = account.is_some_and(|account| {
                account.disabled_at.is_none() && account.password_hash.as_deref() == password_hash
            });
            if !unchanged {
                return Err(StoreError::SignedOut);
            }
            sqlx::query(concat!(
                "insert into sessions (", session_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            ))
            .bind(&session.id).bind(&session.secret_hash).bind(&session.previous_hash).bind(&session.user_id)
            .bind(&session.device).bind(session.created_at).bind(session.rotated_at).bind(session.seen_at)
            .bind(session.expires_at)
            .execute(&mut *tx).await?;
            sqlx::query(
                "insert into known_devices (secret_hash, user_id, seen_at) values ($1, $2, $3) \
                 on conflict (secret_hash) do update set user_id = excluded.user_id, seen_at = excluded.seen_at",
            )
            .bind(device_hash).bind(&session.user_id).bind(session.created_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The session of a secret, or of the secret before its rotation.
    pub async fn find_session(&self, secret_hash: &str) -> Result<Session, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", session_columns!(), " from sessions where secret_hash = $1 ",
                "union all select ", session_columns!(), " from sessions where previous_hash = $1"
            ))
            .bind(secret_hash).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Session })
    }

    /// The sessions of a user, newest first.
    pub async fn list_sessions(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", session_columns!(), " from sessions where user_id = $1 ",
                "order by created_at desc, id desc limit 200"
            ))
            .bind(user).fetch_all(db).await
        })?)
    }

    /// Rotates the secret and stores the time of use. False if a concurrent request did so first: the caller keeps
    /// its cookie.
    pub async fn rotate_session(
        &self,
        id: &SessionId,
        old_hash: &str,
        new_hash: &str,
        at: TimeUs,
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            sqlx::query(
                "update sessions set secret_hash = $3, previous_hash = $2, rotated_at = $4, seen_at = $4 \
                 where id = $1 and secret_hash = $2",
            )
            .bind(id).bind(old_hash).bind(new_hash).bind(at)
            .execute(&mut *tx).await?
            .rows_affected() == 1
        }))
    }

    pub async fn touch_session(&self, id: &SessionId, at: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update sessions set seen_at = $2 where id = $1 and seen_at < $2")
                .bind(id).bind(at).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Deletes a session of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the user has no such session.
    pub async fn delete_session(
        &self,
        user: &UserId,
        id: &SessionId,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let ended = sqlx::query("delete from sessions where user_id = $1 and id = $2")
                .bind(user).bind(id).execute(&mut *tx).await?;
            if ended.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Session });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The last user who signed in on a device, if it is known.
    pub async fn find_device_user(&self, device_hash: &str) -> Result<Option<UserId>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select user_id from known_devices where secret_hash = $1")
                .bind(device_hash).fetch_optional(db).await
        })?)
    }

    /// Deletes what has expired: sessions, one-time tokens, attempts counted before `attempts_before`, and devices
    /// not seen since `devices_before`.
    pub async fn delete_expired_credentials(
        &self,
        now: TimeUs,
        attempts_before: TimeUs,
        devices_before: TimeUs,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            for (statement, before) in [
                ("delete from sessions where expires_at <= $1", now),
                ("delete from one_time_codes where expires_at <= $1", now),
                ("delete from sign_in_failures where since < $1", attempts_before),
                ("delete from known_devices where seen_at < $1", devices_before),
            ] {
                sqlx::query(statement).bind(before).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}
