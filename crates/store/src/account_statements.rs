//! Statements on accounts that more than one module needs: the lock of an account, and what ends its credentials.

use crate::text::check_text;
use crate::{Field, StoreError};

/// An invitation is open at `$2`: not accepted, not expired, its project is not archived, and the inviter may still
/// invite.
macro_rules! open_invitation {
    () => {
        "accepted_at is null and expires_at > $2 and exists (select 1 from memberships \
         join users on users.id = memberships.user_id join projects on projects.id = memberships.project_id \
         where memberships.project_id = invitations.project_id and memberships.user_id = invitations.invited_by \
         and memberships.role = 'owner' and users.disabled_at is null and projects.archived_at is null)"
    };
}

/// Revokes, in the transaction `$tx`, every credential of an account from before its e-mail address was verified, and
/// what an earlier holder could have left in it to read along: provider keys and open invitations.
macro_rules! revoke_credentials {
    ($tx:ident, $user:expr, $at:expr) => {{
        for statement in $crate::account_statements::REVOKE_CREDENTIALS {
            sqlx::query(statement).bind($user).execute(&mut *$tx).await?;
        }
        sqlx::query($crate::account_statements::REVOKE_TOKENS)
            .bind($user)
            .bind($at)
            .execute(&mut *$tx)
            .await?;
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
            return Err($crate::StoreError::NotFound { what: $crate::Resource::User });
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

pub(crate) use {lock_account, open_invitation, revoke_credentials};

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

pub(crate) const DELETE_RECOVERY_CODES: &str = "delete from recovery_codes where user_id = $1";
pub(crate) const INSERT_RECOVERY_CODE: &str =
    "insert into recovery_codes (secret_hash, user_id, created_at) values ($1, $2, $3)";

pub(crate) const INSERT_IDENTITY: &str =
    "insert into identities (issuer, subject, user_id, created_at) values ($1, $2, $3, $4)";

pub(crate) fn check_identity(issuer: &str, subject: &str) -> Result<(), StoreError> {
    check_text(Field::Issuer, issuer)?;
    check_text(Field::Subject, subject)
}

/// Locks the open invitations of an e-mail address, so that none is withdrawn before the transaction ends.
pub(crate) const LOCK_OPEN_INVITATIONS: &str =
    concat!("update invitations set email = email where email = $1 and ", open_invitation!());

/// Deletes the open invitations of a user who may invite no longer.
pub(crate) const END_INVITATIONS_BY: &str =
    "delete from invitations where invited_by = $1 and accepted_at is null";
