//! Identities: who somebody is to an identity provider elsewhere. Never decides whether such a provider is to be
//! believed, and keeps no token of one.

use crate::audit::keep_audit;
use crate::credentials::revoke_credentials;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::users::LOCK_USER;
use crate::{CredentialEvents, NewAuditEvent, Store, StoreError, TimeUs, User, UserId};

/// Who somebody is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What the provider calls the person; only together with the issuer does it mean anybody.
    pub subject: String,
    /// Who that is here.
    pub user_id: UserId,
    /// Since when.
    pub created_at: TimeUs,
}

row!(Identity { issuer, subject, user_id, created_at });

macro_rules! identity_columns {
    () => {
        "issuer, subject, user_id, created_at"
    };
}

pub(crate) const INSERT_IDENTITY: &str =
    concat!("insert into identities (", identity_columns!(), ") values ($1, $2, $3, $4)");

pub(crate) fn check_identity(issuer: &str, subject: &str) -> Result<(), StoreError> {
    check_text("issuer", issuer)?;
    check_text("subject", subject)
}

impl Store {
    /// Links an identity to the account that has this e-mail address, which is proven from now on. If it was not proven before, the
    /// password, the second factor and every other credential of the account are removed: whoever made them did not show that the
    /// address is theirs. Returns the account as it is then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `identity` if it is linked already, [`StoreError::NotFound`] if there is no such account with
    /// this address, or it is disabled.
    pub async fn create_identity(
        &self,
        identity: &Identity,
        email: &str,
        events: CredentialEvents<'_>,
    ) -> Result<User, StoreError> {
        check_identity(&identity.issuer, &identity.subject)?;
        let at = identity.created_at;
        in_transaction!(&self.pool, tx => {
            let account: Option<User> =
                sqlx::query_as(LOCK_USER).bind(&identity.user_id).fetch_optional(&mut *tx).await?;
            let account = account
                .filter(|account| account.email == email && account.disabled_at.is_none())
                .ok_or(StoreError::NotFound { what: "user" })?;
            if account.verified_at.is_none() {
                revoke_credentials!(tx, &identity.user_id, at);
                sqlx::query("update users set password_hash = null, verified_at = $2, updated_at = $2 where id = $1")
                    .bind(&identity.user_id).bind(at).execute(&mut *tx).await?;
                keep_audit!(tx, events.verified);
                keep_audit!(tx, events.revoked);
            }
            sqlx::query(INSERT_IDENTITY)
                .bind(&identity.issuer).bind(&identity.subject).bind(&identity.user_id).bind(at)
                .execute(&mut *tx).await?;
            keep_audit!(tx, events.change);
        });
        self.find_user(&identity.user_id).await
    }

    /// Whose identity it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_identity(&self, issuer: &str, subject: &str) -> Result<Identity, StoreError> {
        check_identity(issuer, subject)?;
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", identity_columns!(), " from identities where issuer = $1 and subject = $2"
            ))
            .bind(issuer).bind(subject).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "identity" })
    }

    /// Where somebody is known, first come first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_identities(&self, user: &UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", identity_columns!(), " from identities where user_id = $1 ",
                "order by created_at, issuer, subject limit 200"
            ))
            .bind(user).fetch_all(db).await
        })?)
    }

    /// Lets somebody in no more by one of their identities.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if they have no such identity, [`StoreError::LastWayIn`] if it is all they can sign in
    /// with.
    pub async fn delete_identity(
        &self,
        user: &UserId,
        issuer: &str,
        subject: &str,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_identity(issuer, subject)?;
        in_transaction!(&self.pool, tx => {
            // Locks the person, so that two identities cannot go at once.
            sqlx::query("update users set updated_at = $2 where id = $1")
                .bind(user).bind(audit.at).execute(&mut *tx).await?;
            let gone = sqlx::query("delete from identities where user_id = $1 and issuer = $2 and subject = $3")
                .bind(user).bind(issuer).bind(subject).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "identity" });
            }
            let can_come_in: bool = sqlx::query_scalar(
                "select exists (select 1 from users where id = $1 and password_hash is not null) \
                 or exists (select 1 from identities where user_id = $1)",
            )
            .bind(user).fetch_one(&mut *tx).await?;
            if !can_come_in {
                return Err(StoreError::LastWayIn);
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }
}
