//! Audit events: who changed what, when, and at what cost. Written in the transaction of the change, so that neither
//! exists without the other. Immutable: the database refuses updates.

use sqlx::AssertSqlSafe;

use crate::page::filter_pages;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    AuditEventId, Fence, Field, JsonText, Page, PageRequest, ProjectId, Resource, Store, StoreError, TimeUs,
    TokenId, UserId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub id: AuditEventId,
    pub at: TimeUs,
    /// `None` for the command line, and in local mode, where there are no accounts.
    pub user_id: Option<UserId>,
    pub token_id: Option<TokenId>,
    /// What was done, such as `project.create`.
    pub action: String,
    pub project_id: Option<ProjectId>,
    /// The id of the changed resource.
    pub subject: String,
    /// An object. Never user-written text, and never a secret.
    pub details: JsonText,
}

row!(AuditEvent, audit_columns { id, at, user_id, token_id, action, project_id, subject, details });

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
    /// What must still hold for the change to count, if it must have an effect once.
    pub fence: Option<Fence>,
}

#[derive(Debug, Clone, Copy)]
pub enum AuditOf<'a> {
    Project(&'a ProjectId),
    /// Events of a user in every project.
    User(&'a UserId),
    Everyone,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// One action; with a trailing `.`, every action with that prefix.
    pub action: Option<String>,
    pub user: Option<UserId>,
    /// Inclusive.
    pub from: Option<TimeUs>,
    /// Exclusive.
    pub to: Option<TimeUs>,
}

const FIND_AUDIT_EVENT: &str = concat!("select ", audit_columns!(), " from audit_events where id = $1");

pub(crate) const INSERT_AUDIT_EVENT: &str =
    concat!("insert into audit_events (", audit_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)");

/// Inserts a delivery job for each webhook that subscribes to an event of a project.
pub(crate) const ENQUEUE_DELIVERIES: &str = "\
    insert into jobs (id, kind, project_id, payload, status, attempts, run_at, created_at, updated_at) \
    select cast($1 as text) || '.' || id, 'deliver', project_id, cast($1 as text) || ' ' || id, 'waiting', 0, \
        cast($2 as bigint), cast($2 as bigint), cast($2 as bigint) \
    from webhooks where project_id = $3 and disabled_at is null \
        and (events = '*' or ' ' || events || ' ' like '% ' || cast($4 as text) || ' %')";

/// Writes an event in the transaction `$tx`, with its webhook deliveries and the mark of its fence.
macro_rules! record_audit {
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
            sqlx::query($crate::audit::ENQUEUE_DELIVERIES)
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
                let mark = sqlx::query($crate::fence::MARK_REQUEST);
                Some(mark.bind(key_hash).bind(attempt).bind(&event.subject).execute(&mut *$tx).await?)
            }
            Some($crate::Fence::Job { id, worker }) => {
                let end = sqlx::query($crate::fence::END_JOB);
                let end = end.bind(id).bind(worker).bind("done").bind(event.at).bind(&event.subject);
                Some(end.execute(&mut *$tx).await?)
            }
        };
        if fenced.is_some_and(|done| done.rows_affected() == 0) {
            return Err($crate::StoreError::FenceLost);
        }
    }};
}

pub(crate) use record_audit;

impl Store {
    /// Writes an event without another change: a refusal, a failed sign-in, an export.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the subject holds U+0000.
    pub async fn record_audit_event(&self, event: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::Subject, &event.subject)?;
        in_transaction!(&self.pool, tx => {
            record_audit!(tx, event);
        });
        Ok(())
    }

    /// Events that match `filter`, newest first. With an action, a page may be short although more follow.
    pub async fn list_audit_events(
        &self,
        of: AuditOf<'_>,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let fetch = |page| async move { self.list_every_audit_event(of, filter, &page).await };
        // Every change would have to maintain an index by action, for a rare query.
        match filter.action.as_deref() {
            None => fetch(page.clone()).await,
            Some(asked) => {
                let wanted = |it: &AuditEvent| {
                    it.action == asked || (asked.ends_with('.') && it.action.starts_with(asked))
                };
                filter_pages(page, |it| (it.at.as_micros(), it.id.as_str()), wanted, fetch).await
            }
        }
    }

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
        // A condition is present or absent, so that the planner can choose an index.
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
        // No id sorts before the empty one, so this excludes the moment itself.
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

    pub async fn find_audit_event(&self, id: &AuditEventId) -> Result<AuditEvent, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_AUDIT_EVENT).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: Resource::AuditEvent })
    }

    /// Events of a project, or of all, after a position (a time and an id), oldest first, at most `limit`. Concurrent
    /// events may become visible in another order than that of their times: start some seconds before the last known
    /// one.
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
