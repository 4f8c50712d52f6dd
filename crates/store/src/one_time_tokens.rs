//! One-time tokens: for setup, e-mail verification, password reset and the second step of signing in.

use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{Field, Resource, Store, StoreError, TimeUs, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// Create the first user.
    SetUp,
    /// Verify an e-mail address.
    VerifyEmail,
    ResetPassword,
    /// The password was accepted; the second factor is missing.
    SecondFactor,
}

impl CodePurpose {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// An unused one-time token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    pub user_id: Option<UserId>,
    pub email: Option<String>,
    pub created_at: TimeUs,
    pub expires_at: TimeUs,
}

row!(OneTimeCode { user_id, email, created_at, expires_at });

impl Store {
    /// Stores a token by the hash of its secret. Earlier tokens of the same user and purpose are deleted.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the e-mail address holds U+0000.
    pub async fn create_code(
        &self,
        secret_hash: &str,
        purpose: CodePurpose,
        code: &OneTimeCode,
    ) -> Result<(), StoreError> {
        check_text(Field::EmailAddress, code.email.as_deref().unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            if let Some(user) = &code.user_id {
                // Serializes concurrent requests: the second waits here and then deletes the first token.
                sqlx::query("update users set updated_at = updated_at where id = $1")
                    .bind(user).execute(&mut *tx).await?;
            }
            // Several sign-ins may be in progress at once; a password reset may not.
            if purpose != CodePurpose::SecondFactor {
                sqlx::query("delete from one_time_codes where purpose = $1 and user_id = $2")
                    .bind(purpose.as_str()).bind(&code.user_id).execute(&mut *tx).await?;
            }
            sqlx::query(
                "insert into one_time_codes (secret_hash, purpose, user_id, email, created_at, expires_at) \
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(secret_hash).bind(purpose.as_str()).bind(&code.user_id).bind(&code.email)
            .bind(code.created_at).bind(code.expires_at)
            .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// A valid token, without using it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is unknown, used or expired.
    pub async fn find_code(
        &self,
        secret_hash: &str,
        purpose: CodePurpose,
        now: TimeUs,
    ) -> Result<OneTimeCode, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select user_id, email, created_at, expires_at from one_time_codes \
                 where secret_hash = $1 and purpose = $2 and expires_at > $3",
            )
            .bind(secret_hash).bind(purpose.as_str()).bind(now).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Link })
    }

    /// True if an unused token for this purpose exists.
    pub async fn has_code(&self, purpose: CodePurpose, now: TimeUs) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select exists (select 1 from one_time_codes where purpose = $1 and expires_at > $2)")
                .bind(purpose.as_str()).bind(now).fetch_one(db).await
        })?)
    }

    /// Uses a token: of concurrent callers, one succeeds.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is unknown, used or expired.
    pub async fn take_code(
        &self,
        secret_hash: &str,
        purpose: CodePurpose,
        now: TimeUs,
    ) -> Result<OneTimeCode, StoreError> {
        let taken: Option<OneTimeCode> = in_transaction!(&self.pool, tx => {
            sqlx::query_as(
                "delete from one_time_codes where secret_hash = $1 and purpose = $2 and expires_at > $3 \
                 returning user_id, email, created_at, expires_at",
            )
            .bind(secret_hash).bind(purpose.as_str()).bind(now).fetch_optional(&mut *tx).await?
        });
        taken.ok_or(StoreError::NotFound { what: Resource::Link })
    }
}
