//! Members: who may enter which project, as what, and who was asked to. Never decides what a role may do.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::users::{LOCK_USER, check_user, insert_user};
use crate::{
    InvitationId, NewAuditEvent, NewUser, Page, PageRequest, ProjectId, Store, StoreError, TimeUs, User,
    UserId,
};

/// What somebody is in a project; a later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also comments and approves.
    Reviewer,
    /// Also writes.
    Editor,
    /// Also decides who else is there.
    Owner,
}

impl Role {
    /// All, least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Reviewer, Role::Editor, Role::Owner];

    /// The word in the database: `viewer`, `reviewer`, `editor` or `owner`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl TryFrom<String> for Role {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        Role::parse(&word).ok_or(StoreError::Invalid { what: "role" })
    }
}

/// Somebody in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// What they are called.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// What they are.
    pub role: Role,
    /// Since when.
    pub created_at: TimeUs,
}

row!(Member { user_id, name, email, role as String, created_at });

/// Somebody who was asked to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id, which is no secret.
    pub id: InvitationId,
    /// Where to.
    pub project_id: ProjectId,
    /// Who was asked.
    pub email: String,
    /// As what.
    pub role: Role,
    /// By whom.
    pub invited_by: Option<UserId>,
    /// When.
    pub created_at: TimeUs,
    /// Until when it is good.
    pub expires_at: TimeUs,
    /// When they came.
    pub accepted_at: Option<TimeUs>,
}

/// Which link of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationLink {
    /// The one that was shown to the person who invites.
    Shown,
    /// The one that was sent to the invited e-mail address and shown to no one: following it proves the address.
    Mailed,
}

row!(Invitation { id, project_id, email, role as String, invited_by, created_at, expires_at, accepted_at });

macro_rules! invitation_columns {
    () => {
        "id, project_id, email, role, invited_by, created_at, expires_at, accepted_at"
    };
}

/// That an invitation works at `$2`: it was not followed, is not too old, its project is in use, and the person who invited may
/// still invite.
macro_rules! open_invitation {
    () => {
        "accepted_at is null and expires_at > $2 and exists (select 1 from memberships \
         join users on users.id = memberships.user_id join projects on projects.id = memberships.project_id \
         where memberships.project_id = invitations.project_id and memberships.user_id = invitations.invited_by \
         and memberships.role = 'owner' and users.disabled_at is null and projects.archived_at is null)"
    };
}

/// Each link of invitations, and how an invitation that works is found by its hash.
const FIND_BY_LINK: [(InvitationLink, &str); 2] = [
    (
        InvitationLink::Mailed,
        concat!(
            "select ",
            invitation_columns!(),
            " from invitations where mailed_hash = $1 and ",
            open_invitation!()
        ),
    ),
    (
        InvitationLink::Shown,
        concat!(
            "select ",
            invitation_columns!(),
            " from invitations where secret_hash = $1 and ",
            open_invitation!()
        ),
    ),
];

/// Locks the invitations of an e-mail address that work, so that none is withdrawn before the transaction ends.
pub(crate) const LOCK_OPEN_INVITATIONS: &str =
    concat!("update invitations set email = email where email = $1 and ", open_invitation!());

/// Ends the invitations of somebody who may invite no more.
pub(crate) const END_INVITATIONS_BY: &str =
    "delete from invitations where invited_by = $1 and accepted_at is null";
const END_INVITATIONS_TO_PROJECT_BY: &str =
    "delete from invitations where project_id = $1 and invited_by = $2 and accepted_at is null";

/// Uses up an invitation in the transaction `$tx`: of two who try, one does. A member with a higher role keeps it.
macro_rules! take_invitation {
    ($tx:ident, $hash:expr, $user:expr, $at:expr) => {{
        let accepted: Option<Invitation> = sqlx::query_as(concat!(
            "update invitations set accepted_at = $2 where (secret_hash = $1 or mailed_hash = $1) and ",
            open_invitation!(),
            " returning ",
            invitation_columns!()
        ))
        .bind($hash)
        .bind($at)
        .fetch_optional(&mut *$tx)
        .await?;
        let accepted = accepted.ok_or(StoreError::NotFound { what: "invitation" })?;
        let before: Option<String> =
            sqlx::query_scalar("select role from memberships where project_id = $1 and user_id = $2")
                .bind(&accepted.project_id)
                .bind($user)
                .fetch_optional(&mut *$tx)
                .await?;
        if before.and_then(|word| Role::parse(&word)).is_none_or(|before| before < accepted.role) {
            sqlx::query(
                "insert into memberships (project_id, user_id, role, created_at) values ($1, $2, $3, $4) \
                 on conflict (project_id, user_id) do update set role = excluded.role",
            )
            .bind(&accepted.project_id)
            .bind($user)
            .bind(accepted.role.as_str())
            .bind($at)
            .execute(&mut *$tx)
            .await?;
        }
        accepted
    }};
}

/// Locks the project until the transaction ends, so that two owners cannot make each other leave at once.
const LOCK_PROJECT: &str = "update projects set updated_at = updated_at where id = $1";
const HAS_OWNER: &str = "select exists (select 1 from memberships where project_id = $1 and role = 'owner')";

impl Store {
    /// What somebody is in a project; none if nothing.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn find_role(&self, project: &ProjectId, user: &UserId) -> Result<Option<Role>, StoreError> {
        let word: Option<String> = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select role from memberships where project_id = $1 and user_id = $2")
                .bind(project).bind(user).fetch_optional(db).await
        })?;
        word.map(Role::try_from).transpose()
    }

    /// The members of a project, last come first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_members(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Member> = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select m.user_id, u.name, u.email, m.role, m.created_at from memberships m \
                 join users u on u.id = m.user_id \
                 where m.project_id = $4 and (m.created_at, m.user_id) < ($1, $2) \
                 order by m.created_at desc, m.user_id desc limit $3",
            )
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.user_id.as_str())))
    }

    /// Changes the role of a member. The open invitations of somebody who is no owner any more end.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if nobody would own the project any more, [`StoreError::NotFound`] if there is no such member.
    pub async fn set_member(
        &self,
        project: &ProjectId,
        user: &UserId,
        role: Role,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(LOCK_PROJECT).bind(project).execute(&mut *tx).await?;
            // Never an insert: a member who was removed meanwhile is not brought back.
            let changed = sqlx::query("update memberships set role = $3 where project_id = $1 and user_id = $2")
                .bind(project).bind(user).bind(role.as_str()).execute(&mut *tx).await?;
            if changed.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "member" });
            }
            let owned: bool = sqlx::query_scalar(HAS_OWNER).bind(project).fetch_one(&mut *tx).await?;
            if !owned {
                return Err(StoreError::LastOwner);
            }
            if role < Role::Owner {
                sqlx::query(END_INVITATIONS_TO_PROJECT_BY).bind(project).bind(user).execute(&mut *tx).await?;
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Lets somebody in no more.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if nobody would own the project any more, [`StoreError::NotFound`] if they are no member.
    pub async fn delete_member(
        &self,
        project: &ProjectId,
        user: &UserId,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(LOCK_PROJECT).bind(project).execute(&mut *tx).await?;
            let gone = sqlx::query("delete from memberships where project_id = $1 and user_id = $2")
                .bind(project).bind(user).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "member" });
            }
            let owned: bool = sqlx::query_scalar(HAS_OWNER).bind(project).fetch_one(&mut *tx).await?;
            if !owned {
                return Err(StoreError::LastOwner);
            }
            sqlx::query(END_INVITATIONS_TO_PROJECT_BY).bind(project).bind(user).execute(&mut *tx).await?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Asks somebody to come, with the hashes of the link that is shown and of the one that is mailed. An earlier invitation of the
    /// same address to the same project ends.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the address cannot be kept.
    pub async fn create_invitation(
        &self,
        invitation: &Invitation,
        shown_hash: &str,
        mailed_hash: &str,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text("e-mail address", &invitation.email)?;
        in_transaction!(&self.pool, tx => {
            // Of two invitations of one address at once, the second one waits here and then ends the first.
            sqlx::query(LOCK_PROJECT).bind(&invitation.project_id).execute(&mut *tx).await?;
            sqlx::query("delete from invitations where project_id = $1 and email = $2 and accepted_at is null")
                .bind(&invitation.project_id).bind(&invitation.email).execute(&mut *tx).await?;
            sqlx::query(concat!(
                "insert into invitations (", invitation_columns!(), ", secret_hash, mailed_hash) ",
                "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ))
            .bind(&invitation.id).bind(&invitation.project_id).bind(&invitation.email)
            .bind(invitation.role.as_str()).bind(&invitation.invited_by).bind(invitation.created_at)
            .bind(invitation.expires_at).bind(invitation.accepted_at).bind(shown_hash).bind(mailed_hash)
            .execute(&mut *tx).await?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// The invitation of a link, if it still works, and which of its links it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_invitation(
        &self,
        hash: &str,
        now: TimeUs,
    ) -> Result<(Invitation, InvitationLink), StoreError> {
        for (link, find) in FIND_BY_LINK {
            let found: Option<Invitation> = on_pool!(&self.pool, db => {
                sqlx::query_as(find).bind(hash).bind(now).fetch_optional(db).await
            })?;
            if let Some(found) = found {
                return Ok((found, link));
            }
        }
        Err(StoreError::NotFound { what: "invitation" })
    }

    /// Invitations of a project that nobody has followed yet, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_invitations(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Invitation>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Invitation> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", invitation_columns!(), " from invitations ",
                "where project_id = $4 and accepted_at is null and (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none that waits.
    pub async fn delete_invitation(
        &self,
        project: &ProjectId,
        id: &InvitationId,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from invitations where project_id = $1 and id = $2 and accepted_at is null")
                .bind(project).bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "invitation" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// Follows an invitation: of two who try, one does. A member with a higher role keeps it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it does not work any more, or the account is disabled or deleted.
    pub async fn accept_invitation(
        &self,
        hash: &str,
        user: &UserId,
        audit: &NewAuditEvent,
    ) -> Result<Invitation, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let account: Option<User> = sqlx::query_as(LOCK_USER).bind(user).fetch_optional(&mut *tx).await?;
            if account.is_none_or(|account| account.disabled_at.is_some()) {
                return Err(StoreError::NotFound { what: "user" });
            }
            let accepted = take_invitation!(tx, hash, user, audit.at);
            keep_audit!(tx, audit);
            accepted
        }))
    }

    /// Makes an account for somebody who follows an invitation, and lets it into the project: both or nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the invitation does not work any more, [`StoreError::Conflict`] on `e-mail address`.
    pub async fn create_invited_user(
        &self,
        user: &NewUser,
        hash: &str,
        created: &NewAuditEvent,
        accepted: &NewAuditEvent,
    ) -> Result<User, StoreError> {
        check_user(user)?;
        Ok(in_transaction!(&self.pool, tx => {
            let made = insert_user!(tx, user);
            keep_audit!(tx, created);
            take_invitation!(tx, hash, &user.id, accepted.at);
            keep_audit!(tx, accepted);
            made
        }))
    }
}
