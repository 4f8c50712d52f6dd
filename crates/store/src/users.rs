//! People: who may come in, and how they prove it. Never compares a password and never sends a message.

use crate::audit::keep_audit;
use crate::credentials::lock_account;
use crate::generations::check_text;
use crate::identities::check_identity;
use crate::members::{END_INVITATIONS_BY, LOCK_OPEN_INVITATIONS};
use crate::pool::{in_transaction, on_pool};
use crate::recovery_codes::{DELETE_RECOVERY_CODES, INSERT_RECOVERY_CODE};
use crate::row::row;
use crate::{
    NewAuditEvent, Page, PageRequest, ProjectId, SecondFactor, SessionId, Store, StoreError, TimeUs, UserId,
};

/// A person.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their e-mail address, in small letters.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The hash of their password, with its parameters; none if they sign in elsewhere.
    pub password_hash: Option<String>,
    /// May make and disable other people.
    pub admin: bool,
    /// When they proved that the e-mail address is theirs.
    pub verified_at: Option<TimeUs>,
    /// Since when they may not come in.
    pub disabled_at: Option<TimeUs>,
    /// The sealed secret of their second factor; none if they have none.
    pub second_factor: Option<String>,
    /// The last time step whose code was used: a code is good once.
    pub second_factor_step: Option<i64>,
    /// When they were made.
    pub created_at: TimeUs,
    /// When something of this last changed.
    pub updated_at: TimeUs,
}

row!(User {
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
    updated_at
});

/// Says who, and neither the address nor a hash.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A person to write. The fields are those of [`User`].
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
    /// The project that will be theirs.
    pub project_id: ProjectId,
    /// What it is called.
    pub project_name: String,
    /// Refuse if there is anybody already.
    pub must_be_first: bool,
    /// Refuse if no open invitation waits for the e-mail address.
    pub must_be_invited: bool,
    /// Who they are to an identity provider, if they come from one: issuer and subject.
    pub identity: Option<(String, String)>,
}

/// What to change of an account; what is none stays as it is in the database.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserUpdate<'a> {
    /// The name.
    pub name: Option<&'a str>,
    /// Administrator of the server.
    pub admin: Option<bool>,
    /// Signing in is refused.
    pub disabled: Option<bool>,
}

macro_rules! user_columns {
    () => {
        "id, email, name, password_hash, admin, verified_at, disabled_at, second_factor, second_factor_step, \
         created_at, updated_at"
    };
}

pub(crate) const INSERT_USER: &str = concat!(
    "insert into users (id, email, name, password_hash, admin, verified_at, created_at, updated_at) ",
    "values ($1, $2, $3, $4, $5, $6, $7, $7) returning ",
    user_columns!()
);

/// Locks an account until the transaction ends, and returns it.
pub(crate) const LOCK_USER: &str =
    concat!("update users set updated_at = updated_at where id = $1 returning ", user_columns!());

/// Projects that nobody is a member of are those made before there were people.
pub(crate) const ADOPT_PROJECTS: &str = "insert into memberships (project_id, user_id, role, created_at) \
     select id, $1, 'owner', $2 from projects \
     where not exists (select 1 from memberships where memberships.project_id = projects.id)";

/// Writes an account and a project of its own in the transaction `$tx`; the first account owns what was there before.
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
            return Err($crate::StoreError::Stale { what: "list of people" });
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
            sqlx::query($crate::identities::INSERT_IDENTITY)
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

/// That what would be kept of a new account can be kept.
pub(crate) fn check_user(user: &NewUser) -> Result<(), StoreError> {
    check_text("e-mail address", &user.email)?;
    check_text("name", &user.name)?;
    check_text("project name", &user.project_name)?;
    match &user.identity {
        Some((issuer, subject)) => check_identity(issuer, subject),
        None => Ok(()),
    }
}

impl Store {
    /// Writes a person and a project of their own. The first person also becomes the owner of everything that was made
    /// before there were people.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `e-mail address` or `identity`, [`StoreError::NotFound`] if an invitation is needed and none is open.
    pub async fn create_user(&self, user: &NewUser, audit: &NewAuditEvent) -> Result<User, StoreError> {
        check_user(user)?;
        Ok(in_transaction!(&self.pool, tx => {
            if user.must_be_first {
                // Of two who set up at once, the second waits here and then sees the first.
                sqlx::query("update projects set updated_at = updated_at where id = $1")
                    .bind(ProjectId::default_project()).execute(&mut *tx).await?;
            }
            if user.must_be_invited {
                // Locked, so that no invitation is withdrawn between this and the end.
                let open = sqlx::query(LOCK_OPEN_INVITATIONS)
                    .bind(&user.email).bind(user.created_at).execute(&mut *tx).await?;
                if open.rows_affected() == 0 {
                    return Err(StoreError::NotFound { what: "invitation" });
                }
            }
            let made = insert_user!(tx, user);
            keep_audit!(tx, audit);
            made
        }))
    }

    /// Whether there is anybody: if not, nobody has to say who they are.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar("select exists (select 1 from users)").fetch_one(db).await
        })?)
    }

    /// One person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_user(&self, id: &UserId) -> Result<User, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", user_columns!(), " from users where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "user" })
    }

    /// The person with an e-mail address, written in small letters.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_user_by_email(&self, email: &str) -> Result<User, StoreError> {
        check_text("e-mail address", email)?;
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", user_columns!(), " from users where email = $1"))
                .bind(email).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "user" })
    }

    /// Everybody, last made first.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Changes an account: only what the update names, so that two changes of different things do not undo each other. An account
    /// that is disabled is signed out, and its open invitations end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_user(
        &self,
        id: &UserId,
        update: &UserUpdate<'_>,
        audit: &NewAuditEvent,
    ) -> Result<User, StoreError> {
        check_text("name", update.name.unwrap_or_default())?;
        Ok(in_transaction!(&self.pool, tx => {
            let before: Option<User> = sqlx::query_as(LOCK_USER).bind(id).fetch_optional(&mut *tx).await?;
            let before = before.ok_or(StoreError::NotFound { what: "user" })?;
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
            keep_audit!(tx, audit);
            changed
        }))
    }

    /// Gives an account a second factor with these recovery codes (their hashes), or removes it. The codes from before do not work
    /// any more.
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
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Seals a second factor anew, if nobody has replaced it meanwhile.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn reseal_second_factor(&self, id: &UserId, old: &str, new: &str) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query("update users set second_factor = $3 where id = $1 and second_factor = $2")
                .bind(id).bind(old).bind(new).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Uses up the code of a time step; false if it, or a later one, was used before.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Removes everything that says who somebody was and lets them in. What they made stays, under an id that is
    /// nobody's. Projects that only they were a member of are archived.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if a project that others use would be left without an owner.
    pub async fn delete_user(&self, id: &UserId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            // Locks the projects, so that two owners cannot leave at once.
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
            // An address that nobody can have keeps the column unique.
            let gone = sqlx::query(
                "update users set email = 'deleted:' || id, name = 'Deleted', password_hash = null, admin = $3, \
                 verified_at = null, second_factor = null, second_factor_step = null, disabled_at = $2, \
                 updated_at = $2 where id = $1",
            )
            .bind(id).bind(audit.at).bind(false)
            .execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "user" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }
}
