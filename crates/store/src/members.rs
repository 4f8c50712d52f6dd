//! Project members, their roles, and invitations. Does not decide what a role may do.

use crate::account_statements::open_invitation;
use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::users::{LOCK_USER, check_user, insert_user};
use crate::{
    Field, InvitationId, NewAuditEvent, NewUser, Page, PageRequest, ProjectId, Resource, Store, StoreError,
    TimeUs, User, UserId,
};

/// The role of a project member. A later role includes all rights of an earlier one.
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
    /// In ascending order.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Reviewer, Role::Editor, Role::Owner];

    /// The stored value: `viewer`, `reviewer`, `editor` or `owner`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// Parses a stored value.
    #[must_use]
    pub fn parse(word: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl TryFrom<String> for Role {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        Role::parse(&word).ok_or(StoreError::Invalid { what: Field::Role })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub created_at: TimeUs,
}

row!(Member { user_id, name, email, role as String, created_at });

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub project_id: ProjectId,
    pub email: String,
    pub role: Role,
    pub invited_by: Option<UserId>,
    pub created_at: TimeUs,
    pub expires_at: TimeUs,
    /// When it was accepted.
    pub accepted_at: Option<TimeUs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationLink {
    /// Shown to the inviter.
    Shown,
    /// Sent to the invited e-mail address alone: following it verifies the address.
    Mailed,
}

row!(Invitation, invitation_columns {
    id, project_id, email, role as String, invited_by, created_at, expires_at, accepted_at,
});

/// Each kind of link, and how to find an open invitation by its hash.
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

const END_INVITATIONS_TO_PROJECT_BY: &str =
    "delete from invitations where project_id = $1 and invited_by = $2 and accepted_at is null";

/// Accepts an invitation in the transaction `$tx`: of concurrent callers, one succeeds. A member keeps a higher role.
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
        let accepted = accepted.ok_or(StoreError::NotFound { what: Resource::Invitation })?;
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

/// Locks the project, so that two owners cannot remove each other concurrently.
const LOCK_PROJECT: &str = "update projects set updated_at = updated_at where id = $1";
const HAS_OWNER: &str = "select exists (select 1 from memberships where project_id = $1 and role = 'owner')";

impl Store {
    /// The role of a user in a project; `None` if not a member.
    pub async fn find_role(&self, project: &ProjectId, user: &UserId) -> Result<Option<Role>, StoreError> {
        let word: Option<String> = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select role from memberships where project_id = $1 and user_id = $2")
                .bind(project).bind(user).fetch_optional(db).await
        })?;
        word.map(Role::try_from).transpose()
    }

    /// The members of a project, newest first.
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

    /// Changes the role of a member. The open invitations of a former owner are deleted.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if no owner would be left, [`StoreError::NotFound`] if there is no such member.
    pub async fn set_member(
        &self,
        project: &ProjectId,
        user: &UserId,
        role: Role,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(LOCK_PROJECT).bind(project).execute(&mut *tx).await?;
            // Never an insert: a member removed meanwhile is not restored.
            let changed = sqlx::query("update memberships set role = $3 where project_id = $1 and user_id = $2")
                .bind(project).bind(user).bind(role.as_str()).execute(&mut *tx).await?;
            if changed.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Member });
            }
            let owned: bool = sqlx::query_scalar(HAS_OWNER).bind(project).fetch_one(&mut *tx).await?;
            if !owned {
                return Err(StoreError::LastOwner);
            }
            if role < Role::Owner {
                sqlx::query(END_INVITATIONS_TO_PROJECT_BY).bind(project).bind(user).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// Removes a member.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] if no owner would be left, [`StoreError::NotFound`] if there is no such member.
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
                return Err(StoreError::NotFound { what: Resource::Member });
            }
            let owned: bool = sqlx::query_scalar(HAS_OWNER).bind(project).fetch_one(&mut *tx).await?;
            if !owned {
                return Err(StoreError::LastOwner);
            }
            sqlx::query(END_INVITATIONS_TO_PROJECT_BY).bind(project).bind(user).execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// Creates an invitation, with the hashes of the shown and of the mailed link. Replaces an open invitation of the
    /// same address to the same project.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the address holds U+0000.
    pub async fn create_invitation(
        &self,
        invitation: &Invitation,
        shown_hash: &str,
        mailed_hash: &str,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text(Field::EmailAddress, &invitation.email)?;
        in_transaction!(&self.pool, tx => {
            // Serializes concurrent invitations of one address: the second waits here and then replaces the first.
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
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The open invitation of a link, and which of its links it is.
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
        Err(StoreError::NotFound { what: Resource::Invitation })
    }

    /// The open invitations of a project, newest first.
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

    /// Withdraws an open invitation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
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
                return Err(StoreError::NotFound { what: Resource::Invitation });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// Accepts an invitation: of concurrent callers, one succeeds. A member keeps a higher role.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not open, or the account is disabled or deleted.
    pub async fn accept_invitation(
        &self,
        hash: &str,
        user: &UserId,
        audit: &NewAuditEvent,
    ) -> Result<Invitation, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let account: Option<User> = sqlx::query_as(LOCK_USER).bind(user).fetch_optional(&mut *tx).await?;
            if account.is_none_or(|account| account.disabled_at.is_some()) {
                return Err(StoreError::NotFound { what: Resource::User });
            }
            let accepted = take_invitation!(tx, hash, user, audit.at);
            record_audit!(tx, audit);
            accepted
        }))
    }

    /// Creates an account for an invited user and adds it to the project: both or nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the invitation is not open, [`StoreError::Conflict`] if the e-mail address is
    /// taken.
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
            record_audit!(tx, created);
            take_invitation!(tx, hash, &user.id, accepted.at);
            record_audit!(tx, accepted);
            made
        }))
    }
}
