//! User accounts. Never compares a password and never sends a message.

use crate::account_statements::{
    DELETE_RECOVERY_CODES, END_INVITATIONS_BY, INSERT_RECOVERY_CODE, LOCK_OPEN_INVITATIONS, check_identity,
    lock_account,
};
use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    Field, NewAuditEvent, Page, PageRequest, ProjectId, Resource, SessionId, Store, StoreError, TimeUs,
    UserId,
};

#[derive(Debug, Clone, Copy)]
pub struct SecondFactor<'a> {
    pub sealed: &'a str,
    /// The time step of the code that confirmed it, which is not accepted again.
    pub step: i64,
}

#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// In lower case.
    pub email: String,
    pub name: String,
    /// With its parameters; `None` for accounts of an identity provider.
    pub password_hash: Option<String>,
    /// Administrator of the server.
    pub admin: bool,
    /// When the e-mail address was verified.
    pub verified_at: Option<TimeUs>,
    pub disabled_at: Option<TimeUs>,
    /// The encrypted secret of the second factor.
    pub second_factor: Option<String>,
    /// The last accepted time step: a code is accepted once.
    pub second_factor_step: Option<i64>,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(
    User,
    user_columns {
        id,
        email,
        name,
        password_hash,
        admin,
        verified_at,
        disabled_at,
        second_factor,
        second_factor_step,
        created_at,
        updated_at,
    }
);

/// Address and hashes are left out.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user to create. The fields are those of [`User`].
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is that of `User`, where it is explained")]
pub struct NewUser {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub admin: bool,
    pub verified_at: Option<TimeUs>,
    pub created_at: TimeUs,
    /// The user's first project.
    pub project_id: ProjectId,
    pub project_name: String,
    /// Refuse if there is a user already.
    pub must_be_first: bool,
    /// Refuse without an open invitation for the e-mail address.
    pub must_be_invited: bool,
    /// Issuer and subject at an identity provider.
    pub identity: Option<(String, String)>,
}

/// Changes of an account; `None` keeps the stored value.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserUpdate<'a> {
    pub name: Option<&'a str>,
    pub admin: Option<bool>,
    /// Signing in is refused.
    pub disabled: Option<bool>,
}

pub(crate) const INSERT_USER: &str = concat!(
    "insert into users (id, email, name, password_hash, admin, verified_at, created_at, updated_at) ",
    "values ($1, $2, $3, $4, $5, $6, $7, $7) returning ",
    user_columns!()
);

/// Locks an account until the transaction ends, and returns it.
pub(crate) const LOCK_USER: &str =
    concat!("update users set updated_at = updated_at where id = $1 returning ", user_columns!());

/// Projects without a member are those from local mode.
pub(crate) const ADOPT_PROJECTS: &str = "insert into memberships (project_id, user_id, role, created_at) \
     select id, $1, 'owner', $2 from projects \
     where not exists (select 1 from memberships where memberships.project_id = projects.id)";

/// Creates an account and its first project in the transaction `$tx`; the first account owns what existed before.
macro_rules! insert_user {
    ($tx:ident, $user:expr) => {{
        let user: &$crate::NewUser = $user;
        let at = user.created_at;
        let made: $crate::User = sqlx::query_as($crate::users::INSERT_USER)
            .bind(&user.id)
            .bind(&user.email)
            .bind(&user.name)
            .bind(&user.password_hash)
            .bind(user.admin)
            .bind(user.verified_at)
            .bind(at)
            .fetch_one(&mut *$tx)
            .await?;
        let others: bool = sqlx::query_scalar("select exists (select 1 from users where id <> $1)")
            .bind(&user.id)
            .fetch_one(&mut *$tx)
            .await?;
        if others && user.must_be_first {
            return Err($crate::StoreError::Stale { what: $crate::Resource::UserList });
        }
        if others {
            sqlx::query("insert into projects (id, name, created_at, updated_at) values ($1, $2, $3, $3)")
                .bind(&user.project_id)
                .bind(&user.project_name)
                .bind(at)
                .execute(&mut *$tx)
                .await?;
            sqlx::query("insert into memberships (project_id, user_id, role, created_at) values ($1, $2, 'owner', $3)")
                .bind(&user.project_id)
                .bind(&user.id)
                .bind(at)
                .execute(&mut *$tx)
                .await?;
        } else {
            sqlx::query($crate::users::ADOPT_PROJECTS).bind(&user.id).bind(at).execute(&mut *$tx).await?;
        }
        if let Some((issuer, subject)) = &user.identity {
            sqlx::query($crate::account_statements::INSERT_IDENTITY)
                .bind(issuer)
                .bind(subject)
                .bind(&user.id)
                .bind(at)
                .execute(&mut *$tx)
                .await?;
        }
        made
    }};
}

pub(crate) use insert_user;

/// Checks the texts of a new account.
pub(crate) fn check_user(user: &NewUser) -> Result<(), StoreError> {
    check_text(Field::EmailAddress, &user.email)?;
    check_text(Field::Name, &user.name)?;
    check_text(Field::ProjectName, &user.project_name)?;
    match &user.identity {
        Some((issuer, subject)) => check_identity(issuer, subject),
        None => Ok(()),
    }
}

impl Store {
    /// Creates a user and the user's first project. The first user also owns everything from local mode.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the e-mail address or the identity is taken, [`StoreError::NotFound`] if a
    /// required invitation is missing.
    pub async fn create_user(&self, user: &NewUser, audit: &NewAuditEvent) -> Result<User, StoreError> {
        check_user(user)?;
        Ok(in_transaction!(&self.pool, tx => {
            if user.must_be_first {
                // Serializes concurrent setups: the second waits here and then sees the first.
                sqlx::query("update projects set updated_at = updated_at where id = $1")
                    .bind(ProjectId::default_project()).execute(&mut *tx).await?;
            }
            if user.must_be_invited {
                // Locked, so that no invitation is withdrawn before the end.
                let open = sqlx::query(LOCK_OPEN_INVITATIONS)
                    .bind(&user.email).bind(user.created_at).execute(&mut *tx).await?;
                if open.rows_affected() == 0 {
                    return Err(StoreError::NotFound { what: Resource::Invitation });
                }
            }
            let made = insert_user!(tx, user);
            record_audit!(tx, audit);
            made
        }))
    }

    /// True if there is an account. Without one, requests need no authentication.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select exists (select 1 from users)").fetch_one(db).await
        })?)
    }

    pub async fn find_user(&self, id: &UserId) -> Result<User, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", user_columns!(), " from users where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::User })
    }

    /// The user with an e-mail address in lower case.
    pub async fn find_user_by_email(&self, email: &str) -> Result<User, StoreError> {
        check_text(Field::EmailAddress, email)?;
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", user_columns!(), " from users where email = $1"))
                .bind(email).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::User })
    }

    /// All users, newest first.
    pub async fn list_users(&self, page: &PageRequest) -> Result<Page<User>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<User> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", user_columns!(), " from users where (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Updates the given fields of an account, so that concurrent changes of other fields are kept. A disabled
    /// account is signed out, and its open invitations are deleted.
    pub async fn update_user(
        &self,
        id: &UserId,
        update: &UserUpdate<'_>,
        audit: &NewAuditEvent,
    ) -> Result<User, StoreError> {
        check_text(Field::Name, update.name.unwrap_or_default())?;
        Ok(in_transaction!(&self.pool, tx => {
            let before: Option<User> = sqlx::query_as(LOCK_USER).bind(id).fetch_optional(&mut *tx).await?;
            let before = before.ok_or(StoreError::NotFound { what: Resource::User })?;
            let disabled_at = match update.disabled {
                Some(true) => Some(before.disabled_at.unwrap_or(audit.at)),
                Some(false) => None,
                None => before.disabled_at,
            };
            let changed: User = sqlx::query_as(concat!(
                "update users set name = $2, admin = $3, disabled_at = $4, updated_at = $5 where id = $1 returning ",
                user_columns!()
            ))
            .bind(id).bind(update.name.unwrap_or(&before.name)).bind(update.admin.unwrap_or(before.admin))
            .bind(disabled_at).bind(audit.at)
            .fetch_one(&mut *tx).await?;
            if disabled_at.is_some() {
                sqlx::query("delete from sessions where user_id = $1").bind(id).execute(&mut *tx).await?;
                sqlx::query(END_INVITATIONS_BY).bind(id).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Sets the second factor and its recovery codes (their hashes), or removes them. Earlier codes are deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account, [`StoreError::SignedOut`] if the session has ended.
    pub async fn set_second_factor(
        &self,
        id: &UserId,
        factor: Option<SecondFactor<'_>>,
        recovery_hashes: &[String],
        session: Option<&SessionId>,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            lock_account!(tx, id, session);
            sqlx::query("update users set second_factor = $2, second_factor_step = $3, updated_at = $4 where id = $1")
                .bind(id).bind(factor.map(|factor| factor.sealed)).bind(factor.map(|factor| factor.step))
                .bind(audit.at)
                .execute(&mut *tx).await?;
            sqlx::query(DELETE_RECOVERY_CODES).bind(id).execute(&mut *tx).await?;
            for hash in recovery_hashes {
                sqlx::query(INSERT_RECOVERY_CODE).bind(hash).bind(id).bind(audit.at).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// Re-encrypts a second factor, unless it was replaced meanwhile.
    pub async fn reseal_second_factor(&self, id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update users set second_factor = $3 where id = $1 and second_factor = $2")
                .bind(id).bind(old).bind(new).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Uses the code of a time step; false if it, or a later one, was used before.
    pub async fn use_second_factor_step(&self, id: &UserId, step: i64) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let used = sqlx::query(
                "update users set second_factor_step = $2 \
                 where id = $1 and (second_factor_step is null or second_factor_step < $2)",
            )
            .bind(id).bind(step)
            .execute(&mut *tx).await?;
            used.rows_affected() == 1
        }))
    }

    /// Deletes the personal data and credentials of a user. What the user created stays, under the id. Projects
    /// without another member are archived.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if a project with other members would be left without an owner.
    pub async fn delete_user(&self, id: &UserId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            // Locks the projects, so that two owners cannot leave concurrently.
            sqlx::query(
                "update projects set updated_at = updated_at \
                 where id in (select project_id from memberships where user_id = $1)",
            )
            .bind(id).execute(&mut *tx).await?;
            let stranded: bool = sqlx::query_scalar(
                "select exists (select 1 from memberships mine where mine.user_id = $1 and mine.role = 'owner' \
                 and not exists (select 1 from memberships other where other.project_id = mine.project_id \
                     and other.user_id <> $1 and other.role = 'owner') \
                 and exists (select 1 from memberships other where other.project_id = mine.project_id \
                     and other.user_id <> $1))",
            )
            .bind(id).fetch_one(&mut *tx).await?;
            if stranded {
                return Err(StoreError::LastOwner);
            }
            sqlx::query(
                "update projects set archived_at = $2, updated_at = $2, revision = revision + 1 \
                 where archived_at is null and id in (select project_id from memberships where user_id = $1) \
                 and not exists (select 1 from memberships other where other.project_id = projects.id \
                     and other.user_id <> $1)",
            )
            .bind(id).bind(audit.at).execute(&mut *tx).await?;
            for statement in [
                "delete from memberships where user_id = $1",
                "delete from sessions where user_id = $1",
                "delete from known_devices where user_id = $1",
                "delete from one_time_codes where user_id = $1",
                "delete from tokens where user_id = $1",
                "delete from provider_keys where user_id = $1",
                "delete from identities where user_id = $1",
                DELETE_RECOVERY_CODES,
                "delete from budgets where user_id = $1",
                "delete from invitations where email = (select email from users where id = $1)",
                END_INVITATIONS_BY,
            ] {
                sqlx::query(statement).bind(id).execute(&mut *tx).await?;
            }
            // A placeholder address keeps the column unique.
            let gone = sqlx::query(
                "update users set email = 'deleted:' || id, name = 'Deleted', password_hash = null, admin = $3, \
                 verified_at = null, second_factor = null, second_factor_step = null, disabled_at = $2, \
                 updated_at = $2 where id = $1",
            )
            .bind(id).bind(audit.at).bind(false)
            .execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::User });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
