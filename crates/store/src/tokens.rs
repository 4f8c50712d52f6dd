//! API tokens. Stores hashes of secrets.

use crate::account_statements::lock_account;
use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    Field, NewAuditEvent, Page, PageRequest, Resource, SessionId, Store, StoreError, TimeUs, TokenId, UserId,
};

#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub user_id: UserId,
    pub name: String,
    pub secret_hash: String,
    /// Scopes, separated by spaces.
    pub scopes: String,
    pub created_at: TimeUs,
    /// `None` for no expiry.
    pub expires_at: Option<TimeUs>,
    /// To the minute.
    pub used_at: Option<TimeUs>,
    pub revoked_at: Option<TimeUs>,
}

row!(
    Token,
    token_columns { id, user_id, name, secret_hash, scopes, created_at, expires_at, used_at, revoked_at }
);

/// The hash is left out.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Store {
    /// Creates a token.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the name holds U+0000, [`StoreError::NotFound`] if there is no such account,
    /// [`StoreError::SignedOut`] if the session that creates it has ended.
    pub async fn create_token(
        &self,
        token: &Token,
        session: Option<&SessionId>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text(Field::Name, &token.name)?;
        in_transaction!(&self.pool, tx => {
            lock_account!(tx, &token.user_id, session);
            sqlx::query(concat!(
                "insert into tokens (", token_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            ))
            .bind(&token.id).bind(&token.user_id).bind(&token.name).bind(&token.secret_hash).bind(&token.scopes)
            .bind(token.created_at).bind(token.expires_at).bind(token.used_at).bind(token.revoked_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The token of a secret, valid or not.
    pub async fn find_token(&self, secret_hash: &str) -> Result<Token, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", token_columns!(), " from tokens where secret_hash = $1"))
                .bind(secret_hash).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Token })
    }

    /// The tokens of a user, newest first.
    pub async fn list_tokens(&self, user: &UserId, page: &PageRequest) -> Result<Page<Token>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Token> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", token_columns!(), " from tokens where user_id = $4 and (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(user).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    pub async fn touch_token(&self, id: &TokenId, at: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update tokens set used_at = $2 where id = $1 and (used_at is null or used_at < $2)")
                .bind(id).bind(at).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Revokes a token of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the user has no such token.
    pub async fn revoke_token(
        &self,
        user: &UserId,
        id: &TokenId,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let ended = sqlx::query(
                "update tokens set revoked_at = coalesce(revoked_at, $3) where user_id = $1 and id = $2",
            )
            .bind(user).bind(id).bind(audit.at)
            .execute(&mut *tx).await?;
            if ended.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Token });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
