//! Audit events: who changed what, when, and what it cost. Written in the transaction of the change itself, so that
//! neither is there without the other. Never changed afterwards; the database itself refuses.

use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{
    AuditEventId, JsonText, Page, PageRequest, ProjectId, Store, StoreError, TimeUs, TokenId, UserId,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: TimeUs,
    /// Who; none where nobody has to say who they are, and for the command line.
    pub user_id: Option<UserId>,
    /// Through which token, if through one.
    pub token_id: Option<TokenId>,
    /// What was done, such as `project.create`.
    pub action: String,
    /// In which project, if in one.
    pub project_id: Option<ProjectId>,
    /// The id of what it was done to.
    pub subject: String,
    /// What else there is to know: an object. Never a text that people wrote, and never a secret.
    pub details: JsonText,
}

row!(AuditEvent { id, at, user_id, token_id, action, project_id, subject, details });

/// An event to write. The fields are those of [`AuditEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is that of `AuditEvent`, where it is explained")]
pub struct NewAuditEvent {
    pub id: AuditEventId,
    pub at: TimeUs,
    pub user_id: Option<UserId>,
    pub token_id: Option<TokenId>,
    pub action: &'static str,
    pub project_id: Option<ProjectId>,
    pub subject: String,
    pub details: JsonText,
}

/// Whose events are listed.
#[derive(Debug, Clone, Copy)]
pub enum AuditOf<'a> {
    /// Those of a project.
    Project(&'a ProjectId),
    /// Those of a person, in every project.
    User(&'a UserId),
    /// All.
    Everyone,
}

macro_rules! audit_columns {
    () => {
        "id, at, user_id, token_id, action, project_id, subject, details"
    };
}

pub(crate) const INSERT_AUDIT_EVENT: &str =
    concat!("insert into audit_events (", audit_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)");

/// Writes an event in the transaction `$tx`.
macro_rules! keep_audit {
    ($tx:ident, $event:expr) => {{
        let event: &$crate::NewAuditEvent = $event;
        sqlx::query($crate::audit::INSERT_AUDIT_EVENT)
            .bind(&event.id)
            .bind(event.at)
            .bind(&event.user_id)
            .bind(&event.token_id)
            .bind(event.action)
            .bind(&event.project_id)
            .bind(&event.subject)
            .bind(&event.details)
            .execute(&mut *$tx)
            .await?;
    }};
}

pub(crate) use keep_audit;

impl Store {
    /// Writes an event for which nothing else is written: a refusal, a sign-in that failed, an export.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the subject holds U+0000.
    pub async fn record_audit_event(&self, event: &NewAuditEvent) -> Result<(), StoreError> {
        check_text("subject", &event.subject)?;
        in_transaction!(&self.pool, tx => {
            keep_audit!(tx, event);
        });
        Ok(())
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_audit_events(
        &self,
        of: AuditOf<'_>,
        page: &PageRequest,
    ) -> Result<Page<AuditEvent>, StoreError> {
        const OF_PROJECT: &str = concat!(
            "select ",
            audit_columns!(),
            " from audit_events where project_id = $4 and",
            " (at, id) < ($1, $2) order by at desc, id desc limit $3"
        );
        const OF_USER: &str = concat!(
            "select ",
            audit_columns!(),
            " from audit_events where user_id = $4 and",
            " (at, id) < ($1, $2) order by at desc, id desc limit $3"
        );
        const OF_EVERYONE: &str = concat!(
            "select ",
            audit_columns!(),
            " from audit_events where",
            " (at, id) < ($1, $2) order by at desc, id desc limit $3"
        );
        let (at, id) = page.before();
        let limit = page.rows_to_fetch();
        let rows: Vec<AuditEvent> = on_pool!(&self.pool, db => match of {
            AuditOf::Project(project) => {
                sqlx::query_as(OF_PROJECT).bind(at).bind(id).bind(limit).bind(project).fetch_all(db).await
            }
            AuditOf::User(user) => {
                sqlx::query_as(OF_USER).bind(at).bind(id).bind(limit).bind(user).fetch_all(db).await
            }
            AuditOf::Everyone => {
                sqlx::query_as(OF_EVERYONE).bind(at).bind(id).bind(limit).fetch_all(db).await
            }
        })?;
        Ok(page.page(rows, |it| (it.at.as_micros(), it.id.as_str())))
    }
}
