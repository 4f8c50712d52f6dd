//! Identities: who somebody is to an identity provider elsewhere. Never decides whether such a provider is to be
//! believed, and keeps no token of one.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{NewAuditEvent, Store, StoreError, TimeUs, UserId};

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
    /// Lets somebody in who is known elsewhere. The e-mail address by which they were found is proven from now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `identity` if it is somebody's already, [`StoreError::NotFound`] if there is no such
    /// person.
    pub async fn create_identity(
        &self,
        identity: &Identity,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_identity(&identity.issuer, &identity.subject)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(INSERT_IDENTITY)
                .bind(&identity.issuer).bind(&identity.subject).bind(&identity.user_id).bind(identity.created_at)
                .execute(&mut *tx).await
                .map_err(crate::error::or_missing("user"))?;
            sqlx::query("update users set verified_at = $2, updated_at = $2 where id = $1 and verified_at is null")
                .bind(&identity.user_id).bind(identity.created_at).execute(&mut *tx).await?;
            keep_audit!(tx, audit);
        });
        Ok(())
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
