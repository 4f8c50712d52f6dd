//! Audit events: who changed what, when, and what it cost. Written in the transaction of the change itself, so that
//! neither is there without the other. Never changed afterwards; the database itself refuses.

use sqlx::AssertSqlSafe;

use crate::generations::check_text;
use crate::page::sift;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{
    AuditEventId, JobId, JsonText, Page, PageRequest, ProjectId, Store, StoreError, TimeUs, TokenId, UserId,
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
    /// What must still hold for the change to count, if it is carried out for something that is to happen once.
    pub fence: Option<Fence>,
}

/// Work that is to be carried out once, although whoever does it may be thought dead and replaced. The change and the mark
/// that it was made are one transaction; whoever was replaced cannot make it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// A request with an idempotency key: the hash of the key, and which attempt this is.
    Request {
        /// The hash of the key.
        key_hash: String,
        /// Which attempt.
        attempt: String,
    },
    /// A job; the change ends it.
    Job {
        /// Which one.
        id: JobId,
        /// Who holds it.
        worker: String,
    },
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

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of this action; of every action that begins so, if it ends with a point.
    pub action: Option<String>,
    /// Only what this person did.
    pub user: Option<UserId>,
    /// Only those of this moment and later ones.
    pub from: Option<TimeUs>,
    /// Only those before this moment.
    pub to: Option<TimeUs>,
}

macro_rules! audit_columns {
    () => {
        "id, at, user_id, token_id, action, project_id, subject, details"
    };
}

const FIND_AUDIT_EVENT: &str = concat!("select ", audit_columns!(), " from audit_events where id = $1");

pub(crate) const INSERT_AUDIT_EVENT: &str =
    concat!("insert into audit_events (", audit_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)");

/// Everybody who is to be told of an event in a project, as work to do.
pub(crate) const TELL_WEBHOOKS: &str = "\
    insert into jobs (id, kind, project_id, payload, status, attempts, run_at, created_at, updated_at) \
    select cast($1 as text) || '.' || id, 'deliver', project_id, cast($1 as text) || ' ' || id, 'waiting', 0, \
        cast($2 as bigint), cast($2 as bigint), cast($2 as bigint) \
    from webhooks where project_id = $3 and disabled_at is null \
        and (events = '*' or ' ' || events || ' ' like '% ' || cast($4 as text) || ' %')";

/// Writes an event in the transaction `$tx`, and what follows from it: who is told, and that a request was carried out.
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
        if let Some(project) = &event.project_id {
            sqlx::query($crate::audit::TELL_WEBHOOKS)
                .bind(&event.id)
                .bind(event.at)
                .bind(project)
                .bind(event.action)
                .execute(&mut *$tx)
                .await?;
        }
        let fenced = match &event.fence {
            None => None,
            Some($crate::Fence::Request { key_hash, attempt }) => {
                let mark = sqlx::query($crate::requests::MARK_REQUEST);
                Some(mark.bind(key_hash).bind(attempt).bind(&event.subject).execute(&mut *$tx).await?)
            }
            Some($crate::Fence::Job { id, worker }) => {
                let end = sqlx::query($crate::jobs::END_JOB);
                let end = end.bind(id).bind(worker).bind("done").bind(event.at).bind(&event.subject);
                Some(end.execute(&mut *$tx).await?)
            }
        };
        if fenced.is_some_and(|done| done.rows_affected() == 0) {
            return Err($crate::StoreError::Conflict { constraint: "hold on this work" });
        }
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

    /// Events that `filter` lets through, newest first. If an action is asked for, a page may have fewer than asked for
    /// although there are more.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_audit_events(
        &self,
        of: AuditOf<'_>,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let fetch = |page| async move { self.list_every_audit_event(of, filter, &page).await };
        // An index by action would have to be kept by every change there is, for a question that is seldom asked.
        match filter.action.as_deref() {
            None => fetch(page.clone()).await,
            Some(asked) => {
                let wanted = |it: &AuditEvent| {
                    it.action == asked || (asked.ends_with('.') && it.action.starts_with(asked))
                };
                sift(page, |it| (it.at.as_micros(), it.id.as_str()), wanted, fetch).await
            }
        }
    }

    /// Of every action.
    async fn list_every_audit_event(
        &self,
        of: AuditOf<'_>,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let (of_project, of_user) = match of {
            AuditOf::Project(project) => (Some(project), filter.user.as_ref()),
            AuditOf::User(user) => (None, Some(user)),
            AuditOf::Everyone => (None, filter.user.as_ref()),
        };
        // A condition is either there or not, so that the database knows which index it may take.
        let statement = format!(
            concat!(
                "select ",
                audit_columns!(),
                " from audit_events where (at, id) < ($1, $2) and at >= $3 {} {} ",
                "order by at desc, id desc limit $6"
            ),
            if of_project.is_some() { "and project_id = $4" } else { "and $4 is null" },
            if of_user.is_some() { "and user_id = $5" } else { "and $5 is null" },
        );
        let (mut at, mut id) = page.before();
        // No id comes before the empty one, so nothing of that moment itself.
        if let Some(to) = filter.to.map(TimeUs::as_micros).filter(|to| *to <= at) {
            (at, id) = (to, "");
        }
        let from = filter.from.map_or(i64::MIN, TimeUs::as_micros);
        let rows: Vec<AuditEvent> = on_pool!(&self.pool, db => {
            sqlx::query_as(AssertSqlSafe(statement))
                .bind(at).bind(id).bind(from).bind(of_project).bind(of_user).bind(page.rows_to_fetch())
                .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.at.as_micros(), it.id.as_str())))
    }

    /// One event.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_audit_event(&self, id: &AuditEventId) -> Result<AuditEvent, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_AUDIT_EVENT).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: "audit event" })
    }

    /// Events of a project, or of all, since a place (a time and an id), oldest first, at most `limit`. Those that happened at
    /// once may become visible in another order than that of their times: begin some seconds earlier than the last one that was
    /// seen.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_audit_events_since(
        &self,
        project: Option<&ProjectId>,
        at: TimeUs,
        after: &str,
        limit: i64,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        Ok(on_pool!(&self.pool, db => match project {
            None => {
                sqlx::query_as(concat!(
                    "select ", audit_columns!(), " from audit_events where (at, id) > ($1, $2) order by at, id limit $3"
                ))
                .bind(at).bind(after).bind(limit).fetch_all(db).await
            }
            Some(project) => {
                sqlx::query_as(concat!(
                    "select ", audit_columns!(), " from audit_events where project_id = $4 and (at, id) > ($1, $2) \
                     order by at, id limit $3"
                ))
                .bind(at).bind(after).bind(limit).bind(project).fetch_all(db).await
            }
        })?)
    }
}
