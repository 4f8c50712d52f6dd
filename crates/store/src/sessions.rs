//! Sessions: where somebody is signed in. Knows hashes of secrets only, and decides nothing about time: callers say
//! what is too old.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::users::LOCK_USER;
use crate::{NewAuditEvent, SessionId, Store, StoreError, TimeUs, User, UserId};

/// One place where somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: SessionId,
    /// Hash of the secret that the browser keeps.
    pub secret_hash: String,
    /// Hash of the secret before it, which is good for a moment after a rotation.
    pub previous_hash: Option<String>,
    /// Who is signed in.
    pub user_id: UserId,
    /// What the browser calls itself.
    pub device: String,
    /// When it began.
    pub created_at: TimeUs,
    /// When the secret was last replaced.
    pub rotated_at: TimeUs,
    /// When it was last used, give or take a minute.
    pub seen_at: TimeUs,
    /// When it ends, used or not.
    pub expires_at: TimeUs,
}

row!(Session {
    id,
    secret_hash,
    previous_hash,
    user_id,
    device,
    created_at,
    rotated_at,
    seen_at,
    expires_at
});

macro_rules! session_columns {
    () => {
        "id, secret_hash, previous_hash, user_id, device, created_at, rotated_at, seen_at, expires_at"
    };
}

impl Store {
    /// Begins a session, and knows the device from now on. The account must still have the password (its hash) that it had when the
    /// person proved who they are.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the device's name cannot be kept, [`StoreError::SignedOut`] if the account has another
    /// password meanwhile or is disabled.
    pub async fn create_session(
        &self,
        session: &Session,
        device_hash: &str,
        password_hash: Option<&str>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text("device", &session.device)?;
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
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// The session of a secret, or of the secret before its rotation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_session(&self, secret_hash: &str) -> Result<Session, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", session_columns!(), " from sessions where secret_hash = $1 ",
                "union all select ", session_columns!(), " from sessions where previous_hash = $1"
            ))
            .bind(secret_hash).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "session" })
    }

    /// The sessions of somebody, last begun first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_sessions(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", session_columns!(), " from sessions where user_id = $1 ",
                "order by created_at desc, id desc limit 200"
            ))
            .bind(user).fetch_all(db).await
        })?)
    }

    /// Replaces the secret, and remembers the use. False if another request did so first: the caller keeps what it has.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Remembers that a session was used.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn touch_session(&self, id: &SessionId, at: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update sessions set seen_at = $2 where id = $1 and seen_at < $2")
                .bind(id).bind(at).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Ends a session of somebody.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if they have no such session.
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
                return Err(StoreError::NotFound { what: "session" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// The user who signed in last on a device, if it is known.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn find_device_user(&self, device_hash: &str) -> Result<Option<UserId>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select user_id from known_devices where secret_hash = $1")
                .bind(device_hash).fetch_optional(db).await
        })?)
    }

    /// Forgets what is past its time: sessions, links, attempts counted before `attempts_before`, and devices not seen
    /// since `devices_before`.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn forget_expired(
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
