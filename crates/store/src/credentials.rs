//! Changes of credentials that affect other credentials: password change and reset, e-mail verification. Does not
//! decide what counts as proof.
//!
//! Each function locks the account first, so that revoking and creating credentials are serialized: a session or
//! token created while the password changes is either revoked or refused.

use crate::account_statements::{REVOKE_TOKENS, lock_account, revoke_credentials};
use crate::audit::record_audit;
use crate::pool::in_transaction;
use crate::users::LOCK_USER;
use crate::{CodePurpose, NewAuditEvent, Resource, SessionId, Store, StoreError, User, UserId};

/// The audit events of a change that may revoke other credentials. Events of what did not happen are not written.
#[derive(Debug, Clone, Copy)]
pub struct CredentialEvents<'a> {
    pub change: &'a NewAuditEvent,
    /// Written if the e-mail address becomes verified.
    pub verified: &'a NewAuditEvent,
    /// Written if earlier credentials are revoked.
    pub revoked: &'a NewAuditEvent,
}

impl Store {
    /// Changes the password of a signed-in account. Its other sessions and its one-time tokens are deleted; its API
    /// tokens are kept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account, [`StoreError::SignedOut`] if the session `keep` has
    /// ended.
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
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// Uses a reset token and sets the password. Revokes every session, API token and one-time token of the account.
    /// If the token was sent to the e-mail address of the account, the address becomes verified; if it was not
    /// before, all other credentials are revoked too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the token is unknown, used or expired.
    pub async fn reset_password(
        &self,
        secret_hash: &str,
        user: &UserId,
        password_hash: &str,
        events: CredentialEvents<'_>,
    ) -> Result<(), StoreError> {
        let at = events.change.at;
        in_transaction!(&self.pool, tx => {
            // The account before the token, as everywhere in this file: one lock order rules out deadlocks.
            let account: Option<User> = sqlx::query_as(LOCK_USER)
                .bind(user).fetch_optional(&mut *tx).await?;
            let account = account.ok_or(StoreError::NotFound { what: Resource::Link })?;
            let sent_to: Option<Option<String>> = sqlx::query_scalar(
                "delete from one_time_codes where secret_hash = $1 and purpose = $2 and expires_at > $3 \
                 and user_id = $4 returning email",
            )
            .bind(secret_hash).bind(CodePurpose::ResetPassword.as_str()).bind(at).bind(user)
            .fetch_optional(&mut *tx).await?;
            let sent_to = sent_to.ok_or(StoreError::NotFound { what: Resource::Link })?;
            if sent_to.as_deref() == Some(account.email.as_str()) && account.verified_at.is_none() {
                revoke_credentials!(tx, user, at);
                sqlx::query("update users set verified_at = $2 where id = $1")
                    .bind(user).bind(at).execute(&mut *tx).await?;
                record_audit!(tx, events.verified);
                record_audit!(tx, events.revoked);
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
            record_audit!(tx, events.change);
        });
        Ok(())
    }

    /// Uses a verification token: its address becomes the verified address of the account. If the address changes,
    /// reset tokens that were sent to the old one are deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the token is unknown, used, expired or of another account, or the account is
    /// disabled; [`StoreError::Conflict`] if another account has the address.
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
                .ok_or(StoreError::NotFound { what: Resource::Link })?;
            let sent_to: Option<Option<String>> = sqlx::query_scalar(
                "delete from one_time_codes where secret_hash = $1 and purpose = $2 and expires_at > $3 \
                 and user_id = $4 returning email",
            )
            .bind(secret_hash).bind(CodePurpose::VerifyEmail.as_str()).bind(at).bind(user)
            .fetch_optional(&mut *tx).await?;
            let address = sent_to.flatten().ok_or(StoreError::NotFound { what: Resource::Link })?;
            sqlx::query("update users set email = $2, verified_at = $3, updated_at = $4 where id = $1")
                .bind(user).bind(&address)
                .bind(account.verified_at.filter(|_| address == account.email).unwrap_or(at)).bind(at)
                .execute(&mut *tx).await?;
            if address == account.email {
                record_audit!(tx, verified);
            } else {
                sqlx::query("delete from one_time_codes where user_id = $1 and purpose = $2")
                    .bind(user).bind(CodePurpose::ResetPassword.as_str()).execute(&mut *tx).await?;
                record_audit!(tx, changed);
            }
        });
        Ok(())
    }
}
