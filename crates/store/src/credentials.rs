//! Credentials of an account, changed together: a password that is reset, an e-mail address that is proven, an account whose
//! address was not proven and now is. Never decides what counts as proof.
//!
//! Each function locks the row of the account first, so that what ends credentials and what makes new ones happen one after the
//! other: a session or a token that is made while a password changes either is there in time to be ended, or is refused.

use crate::audit::keep_audit;
use crate::pool::in_transaction;
use crate::recovery_codes::DELETE_RECOVERY_CODES;
use crate::users::LOCK_USER;
use crate::{CodePurpose, NewAuditEvent, SessionId, Store, StoreError, User, UserId};

/// A second factor to store.
#[derive(Debug, Clone, Copy)]
pub struct SecondFactor<'a> {
    /// Its sealed secret.
    pub sealed: &'a str,
    /// The time step of the code that was shown for it, which does not work a second time.
    pub step: i64,
}

/// The audit events of a change that may end other credentials. Those of what did not happen are not written.
#[derive(Debug, Clone, Copy)]
pub struct CredentialEvents<'a> {
    /// The change itself.
    pub change: &'a NewAuditEvent,
    /// The e-mail address is proven from now on.
    pub verified: &'a NewAuditEvent,
    /// The credentials of the account from before were removed.
    pub revoked: &'a NewAuditEvent,
}

/// Ends, in the transaction `$tx`, every way into an account that was made before its e-mail address was proven, and what an earlier
/// holder could have left in it to read along: keys of vendors and open invitations.
macro_rules! revoke_credentials {
    ($tx:ident, $user:expr, $at:expr) => {{
        for statement in $crate::credentials::REVOKE_CREDENTIALS {
            sqlx::query(statement).bind($user).execute(&mut *$tx).await?;
        }
        sqlx::query($crate::credentials::REVOKE_TOKENS).bind($user).bind($at).execute(&mut *$tx).await?;
    }};
}

/// Locks an account until the transaction `$tx` ends. A session, if the change is made with one, must still be there.
macro_rules! lock_account {
    ($tx:ident, $user:expr, $session:expr) => {{
        let locked = sqlx::query("update users set updated_at = updated_at where id = $1")
            .bind($user)
            .execute(&mut *$tx)
            .await?;
        if locked.rows_affected() == 0 {
            return Err($crate::StoreError::NotFound { what: "user" });
        }
        let session: Option<&$crate::SessionId> = $session;
        if let Some(session) = session {
            let is_there: bool =
                sqlx::query_scalar("select exists (select 1 from sessions where id = $1 and user_id = $2)")
                    .bind(session)
                    .bind($user)
                    .fetch_one(&mut *$tx)
                    .await?;
            if !is_there {
                return Err($crate::StoreError::SignedOut);
            }
        }
    }};
}

pub(crate) use {lock_account, revoke_credentials};

pub(crate) const REVOKE_CREDENTIALS: [&str; 8] = [
    "update users set second_factor = null, second_factor_step = null where id = $1",
    DELETE_RECOVERY_CODES,
    "delete from sessions where user_id = $1",
    "delete from known_devices where user_id = $1",
    "delete from one_time_codes where user_id = $1",
    "delete from identities where user_id = $1",
    "delete from provider_keys where user_id = $1",
    "delete from invitations where invited_by = $1 and accepted_at is null",
];

pub(crate) const REVOKE_TOKENS: &str =
    "update tokens set revoked_at = $2 where user_id = $1 and revoked_at is null";

impl Store {
    /// Changes the password of an account that is signed in. Its other sessions and every link that was sent to it end; its tokens
    /// do not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account, [`StoreError::SignedOut`] if the session `keep` has ended.
    pub async fn change_password(
        &self,
        id: &UserId,
        password_hash: &str,
        keep: Option<&SessionId>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            lock_account!(tx, id, keep);
            sqlx::query("update users set password_hash = $2, updated_at = $3 where id = $1")
                .bind(id).bind(password_hash).bind(audit.at)
                .execute(&mut *tx).await?;
            sqlx::query("delete from sessions where user_id = $1 and id <> $2")
                .bind(id).bind(keep.map_or("", SessionId::as_str)).execute(&mut *tx).await?;
            sqlx::query("delete from one_time_codes where user_id = $1").bind(id).execute(&mut *tx).await?;
            sqlx::query("delete from known_devices where user_id = $1").bind(id).execute(&mut *tx).await?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Uses up a link for a new password and sets it. Every session, token and link of the account ends. If the link was sent to the
    /// e-mail address of the account, the address is proven; if it was not proven before, all other credentials are removed too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the link does not work, or not any more.
    pub async fn reset_password(
        &self,
        secret_hash: &str,
        user: &UserId,
        password_hash: &str,
        events: CredentialEvents<'_>,
    ) -> Result<(), StoreError> {
        let at = events.change.at;
        in_transaction!(&self.pool, tx => {
            // The account before the link, as everywhere here: whoever locks in another order waits for each other.
            let account: Option<User> = sqlx::query_as(LOCK_USER)
                .bind(user).fetch_optional(&mut *tx).await?;
            let account = account.ok_or(StoreError::NotFound { what: "link" })?;
            let sent_to: Option<Option<String>> = sqlx::query_scalar(
                "delete from one_time_codes where secret_hash = $1 and purpose = $2 and expires_at > $3 \
                 and user_id = $4 returning email",
            )
            .bind(secret_hash).bind(CodePurpose::ResetPassword.as_str()).bind(at).bind(user)
            .fetch_optional(&mut *tx).await?;
            let sent_to = sent_to.ok_or(StoreError::NotFound { what: "link" })?;
            if sent_to.as_deref() == Some(account.email.as_str()) && account.verified_at.is_none() {
                revoke_credentials!(tx, user, at);
                sqlx::query("update users set verified_at = $2 where id = $1")
                    .bind(user).bind(at).execute(&mut *tx).await?;
                keep_audit!(tx, events.verified);
                keep_audit!(tx, events.revoked);
            }
            sqlx::query("update users set password_hash = $2, updated_at = $3 where id = $1")
                .bind(user).bind(password_hash).bind(at).execute(&mut *tx).await?;
            for statement in [
                "delete from sessions where user_id = $1",
                "delete from one_time_codes where user_id = $1",
                "delete from known_devices where user_id = $1",
            ] {
                sqlx::query(statement).bind(user).execute(&mut *tx).await?;
            }
            sqlx::query(REVOKE_TOKENS).bind(user).bind(at).execute(&mut *tx).await?;
            keep_audit!(tx, events.change);
        });
        Ok(())
    }

    /// Uses up a link that was sent to an e-mail address: from now on it is the proven address of the account. If it is another one
    /// than before, links for a new password that went to the old one end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the link does not work (any more) or is not one of this account, or the account is disabled;
    /// [`StoreError::Conflict`] on `e-mail address` if another account has it.
    pub async fn verify_email(
        &self,
        secret_hash: &str,
        user: &UserId,
        verified: &NewAuditEvent,
        changed: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        let at = verified.at;
        in_transaction!(&self.pool, tx => {
            let account: Option<User> = sqlx::query_as(LOCK_USER)
                .bind(user).fetch_optional(&mut *tx).await?;
            let account = account
                .filter(|account| account.disabled_at.is_none())
                .ok_or(StoreError::NotFound { what: "link" })?;
            let sent_to: Option<Option<String>> = sqlx::query_scalar(
                "delete from one_time_codes where secret_hash = $1 and purpose = $2 and expires_at > $3 \
                 and user_id = $4 returning email",
            )
            .bind(secret_hash).bind(CodePurpose::VerifyEmail.as_str()).bind(at).bind(user)
            .fetch_optional(&mut *tx).await?;
            let address = sent_to.flatten().ok_or(StoreError::NotFound { what: "link" })?;
            sqlx::query("update users set email = $2, verified_at = $3, updated_at = $4 where id = $1")
                .bind(user).bind(&address)
                .bind(account.verified_at.filter(|_| address == account.email).unwrap_or(at)).bind(at)
                .execute(&mut *tx).await?;
            if address == account.email {
                keep_audit!(tx, verified);
            } else {
                sqlx::query("delete from one_time_codes where user_id = $1 and purpose = $2")
                    .bind(user).bind(CodePurpose::ResetPassword.as_str()).execute(&mut *tx).await?;
                keep_audit!(tx, changed);
            }
        });
        Ok(())
    }
}
