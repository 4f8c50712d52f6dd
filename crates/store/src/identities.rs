//! Accounts of users at OpenID Connect providers. Does not decide whether a provider is trusted, and stores no token.

use crate::account_statements::{INSERT_IDENTITY, check_identity, revoke_credentials};
use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::users::LOCK_USER;
use crate::{CredentialEvents, NewAuditEvent, Resource, Store, StoreError, TimeUs, User, UserId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    /// Unique per issuer.
    pub subject: String,
    pub user_id: UserId,
    pub created_at: TimeUs,
}

row!(Identity, identity_columns { issuer, subject, user_id, created_at });

impl Store {
    /// Links an identity to the account with this e-mail address, which becomes verified. If it was not before, the
    /// password, the second factor and every other credential of the account are revoked: their creator did not prove
    /// that the address is theirs. Returns the updated account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the identity is linked already, [`StoreError::NotFound`] if no enabled account has
    /// this address.
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
                .ok_or(StoreError::NotFound { what: Resource::User })?;
            if account.verified_at.is_none() {
                revoke_credentials!(tx, &identity.user_id, at);
                sqlx::query("update users set password_hash = null, verified_at = $2, updated_at = $2 where id = $1")
                    .bind(&identity.user_id).bind(at).execute(&mut *tx).await?;
                record_audit!(tx, events.verified);
                record_audit!(tx, events.revoked);
            }
            sqlx::query(INSERT_IDENTITY)
                .bind(&identity.issuer).bind(&identity.subject).bind(&identity.user_id).bind(at)
                .execute(&mut *tx).await?;
            record_audit!(tx, events.change);
        });
        self.find_user(&identity.user_id).await
    }

    pub async fn find_identity(&self, issuer: &str, subject: &str) -> Result<Identity, StoreError> {
        check_identity(issuer, subject)?;
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", identity_columns!(), " from identities where issuer = $1 and subject = $2"
            ))
            .bind(issuer).bind(subject).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Identity })
    }

    /// The identities of a user, oldest first.
    pub async fn list_identities(&self, user: &UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", identity_columns!(), " from identities where user_id = $1 ",
                "order by created_at, issuer, subject limit 200"
            ))
            .bind(user).fetch_all(db).await
        })?)
    }

    /// Unlinks an identity of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::LastCredential`] if the user could not sign in without it.
    pub async fn delete_identity(
        &self,
        user: &UserId,
        issuer: &str,
        subject: &str,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_identity(issuer, subject)?;
        in_transaction!(&self.pool, tx => {
            // Locks the user, so that two identities cannot be unlinked concurrently.
            sqlx::query("update users set updated_at = $2 where id = $1")
                .bind(user).bind(audit.at).execute(&mut *tx).await?;
            let gone = sqlx::query("delete from identities where user_id = $1 and issuer = $2 and subject = $3")
                .bind(user).bind(issuer).bind(subject).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Identity });
            }
            let can_sign_in: bool = sqlx::query_scalar(
                "select exists (select 1 from users where id = $1 and password_hash is not null) \
                 or exists (select 1 from identities where user_id = $1)",
            )
            .bind(user).fetch_one(&mut *tx).await?;
            if !can_sign_in {
                return Err(StoreError::LastCredential);
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
