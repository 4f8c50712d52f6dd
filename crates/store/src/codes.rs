//! Links that are good once: to set up, to prove an e-mail address, to choose a new password, to finish signing in.

use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{Store, StoreError, TimeUs, UserId};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// Make the first person.
    SetUp,
    /// Prove that an e-mail address is theirs.
    VerifyEmail,
    /// Choose a new password.
    ResetPassword,
    /// The password was right; the second factor is to come.
    SecondFactor,
}

impl CodePurpose {
    /// The word in the database.
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

/// A link that waits to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    /// Whose it is, if anybody's.
    pub user_id: Option<UserId>,
    /// The e-mail address that it was sent to, if to one.
    pub email: Option<String>,
    /// When it was made.
    pub created_at: TimeUs,
    /// Until when it is good.
    pub expires_at: TimeUs,
}

row!(OneTimeCode { user_id, email, created_at, expires_at });

impl Store {
    /// Keeps a code, by the hash of its secret. Earlier codes of the same person for the same purpose end.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the e-mail address cannot be kept.
    pub async fn create_code(
        &self,
        secret_hash: &str,
        purpose: CodePurpose,
        code: &OneTimeCode,
    ) -> Result<(), StoreError> {
        check_text("e-mail address", code.email.as_deref().unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            if let Some(user) = &code.user_id {
                // Of two links that are asked for at once, the second one waits here and then ends the first.
                sqlx::query("update users set updated_at = updated_at where id = $1")
                    .bind(user).execute(&mut *tx).await?;
            }
            // Somebody may be signing in twice at once; a password is reset once.
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

    /// A code that is still good, without using it up.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not, or not any more.
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
        .ok_or(StoreError::NotFound { what: "link" })
    }

    /// Whether any code waits for this purpose.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn has_code(&self, purpose: CodePurpose, now: TimeUs) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select exists (select 1 from one_time_codes where purpose = $1 and expires_at > $2)")
                .bind(purpose.as_str()).bind(now).fetch_one(db).await
        })?)
    }

    /// Uses up a code: of two who try, one gets it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not good, or not any more.
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
        taken.ok_or(StoreError::NotFound { what: "link" })
    }
}
