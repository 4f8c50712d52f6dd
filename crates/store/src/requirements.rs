//! Requirements with immutable versions, and trace links from them to elements of diagrams.

use crate::audit::record_audit;
use crate::page::filter_pages;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::words::{has_words, words};
use crate::{
    DiagramId, Field, NewAuditEvent, Page, PageRequest, ProjectId, RequirementId, Resource, Store,
    StoreError, TimeUs, TraceLinkId, UserId,
};

/// A requirement with the text of its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub id: RequirementId,
    pub project_id: ProjectId,
    /// The number in its project, from 1.
    pub number: i64,
    /// The number of the newest version, from 1.
    pub head_version: i64,
    /// Incremented by each change.
    pub revision: i64,
    pub archived_at: Option<TimeUs>,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
    pub text: String,
}

row!(Requirement {
    id,
    project_id,
    number,
    head_version,
    revision,
    archived_at,
    created_at,
    updated_at,
    text
});

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequirementFilter {
    /// Only archived requirements, instead of only active ones.
    pub archived: bool,
    /// Only those with words that start with every word of this.
    pub words: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementVersion {
    /// From 1.
    pub number: i64,
    pub text: String,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
}

row!(RequirementVersion { number, text, created_by, created_at });

/// An element of a diagram and the requirement it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLink {
    pub id: TraceLinkId,
    pub project_id: ProjectId,
    pub requirement_id: RequirementId,
    /// The reviewed version of the requirement.
    pub requirement_version: i64,
    pub diagram_id: DiagramId,
    pub element: String,
    /// The reviewed version of the diagram.
    pub diagram_version: i64,
    /// Which side has changed since: `requirement`, `diagram` or `both`.
    pub suspect: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
}

row!(
    TraceLink,
    link_columns {
        id,
        project_id,
        requirement_id,
        requirement_version,
        diagram_id,
        element,
        diagram_version,
        suspect,
        created_by,
        created_at,
    }
);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Only suspect links, or only links that are not.
    pub suspect: Option<bool>,
    pub element: Option<String>,
}

macro_rules! select_requirement {
    () => {
        "select r.id, r.project_id, r.number, r.head_version, r.revision, r.archived_at, r.created_at, r.updated_at, \
         v.text from requirements r \
         join requirement_versions v on v.requirement_id = r.id and v.number = r.head_version "
    };
}

const INSERT_VERSION: &str = "insert into requirement_versions (requirement_id, number, text, created_by, created_at) \
                              values ($1, $2, $3, $4, $5)";

/// Combines with an earlier change of the other side.
pub(crate) const SUSPECT_BY_REQUIREMENT: &str = "\
    update trace_links set suspect = case when suspect in ('diagram', 'both') then 'both' else 'requirement' end \
     where requirement_id = $1";
pub(crate) const SUSPECT_BY_ELEMENT: &str = "\
    update trace_links set suspect = case when suspect in ('requirement', 'both') then 'both' else 'diagram' end \
     where diagram_id = $1 and element = $2";
pub(crate) const SUSPECT_BY_DIAGRAM: &str = "\
    update trace_links set suspect = case when suspect in ('requirement', 'both') then 'both' else 'diagram' end \
     where diagram_id = $1";

impl Store {
    /// Creates requirements, all or none, with the next numbers of the project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project.
    pub async fn create_requirements(
        &self,
        project: &ProjectId,
        new: &[(RequirementId, String)],
        author: Option<&UserId>,
        audit: &NewAuditEvent,
    ) -> Result<Vec<Requirement>, StoreError> {
        for (_, text) in new {
            check_text(Field::Requirement, text)?;
        }
        let at = audit.at;
        Ok(in_transaction!(&self.pool, tx => {
            // Locks the project: two writers never take the same number.
            let locked = sqlx::query("update projects set updated_at = updated_at where id = $1")
                .bind(project).execute(&mut *tx).await?;
            if locked.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Project });
            }
            let last: Option<i64> = sqlx::query_scalar("select max(number) from requirements where project_id = $1")
                .bind(project).fetch_one(&mut *tx).await?;
            let mut number = last.unwrap_or(0);
            let mut made = Vec::with_capacity(new.len());
            for (id, text) in new {
                number += 1;
                sqlx::query(
                    "insert into requirements (id, project_id, number, head_version, revision, created_at, updated_at) \
                     values ($1, $2, $3, 1, 1, $4, $4)",
                )
                .bind(id).bind(project).bind(number).bind(at).execute(&mut *tx).await?;
                sqlx::query(INSERT_VERSION).bind(id).bind(1_i64).bind(text).bind(author).bind(at)
                    .execute(&mut *tx).await?;
                made.push(Requirement {
                    id: id.clone(),
                    project_id: project.clone(),
                    number,
                    head_version: 1,
                    revision: 1,
                    archived_at: None,
                    created_at: at,
                    updated_at: at,
                    text: text.clone(),
                });
            }
            record_audit!(tx, audit);
            made
        }))
    }

    pub async fn find_requirement(&self, id: &RequirementId) -> Result<Requirement, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(select_requirement!(), "where r.id = $1")).bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Requirement })
    }

    /// The requirements of a project that match `filter`, newest first. With search words, a page may be short
    /// although more follow.
    pub async fn list_requirements(
        &self,
        project: &ProjectId,
        filter: &RequirementFilter,
        page: &PageRequest,
    ) -> Result<Page<Requirement>, StoreError> {
        // Not in SQL, because the two databases lower-case differently.
        let asked = words(filter.words.as_deref().unwrap_or_default());
        let fetch = |page| async move { self.list_all_requirements(project, filter.archived, &page).await };
        match asked.is_empty() {
            true => fetch(page.clone()).await,
            false => {
                let wanted = |it: &Requirement| has_words(&it.text, &asked);
                filter_pages(page, |it| (it.number, it.id.as_str()), wanted, fetch).await
            }
        }
    }

    async fn list_all_requirements(
        &self,
        project: &ProjectId,
        archived: bool,
        page: &PageRequest,
    ) -> Result<Page<Requirement>, StoreError> {
        // By number and not by time: requirements created together have one time.
        const IN_USE: &str = concat!(
            select_requirement!(),
            "where r.project_id = $4 and r.archived_at is null and (r.number, r.id) < ($1, $2) ",
            "order by r.number desc, r.id desc limit $3"
        );
        const ARCHIVED: &str = concat!(
            select_requirement!(),
            "where r.project_id = $4 and r.archived_at is not null and (r.number, r.id) < ($1, $2) ",
            "order by r.number desc, r.id desc limit $3"
        );
        let (at, id) = page.before();
        let rows: Vec<Requirement> = on_pool!(&self.pool, db => {
            sqlx::query_as(if archived { ARCHIVED } else { IN_USE })
                .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.number, it.id.as_str())))
    }

    /// The versions of a requirement, newest first, at most 200.
    pub async fn list_requirement_versions(
        &self,
        id: &RequirementId,
    ) -> Result<Vec<RequirementVersion>, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select number, text, created_by, created_at from requirement_versions \
                 where requirement_id = $1 order by number desc limit 200",
            )
            .bind(id).fetch_all(db).await
        })?)
    }

    /// Updates the text or the archived state. A new text makes its trace links suspect.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if the revision is not `seen`.
    pub async fn update_requirement(
        &self,
        id: &RequirementId,
        seen: i64,
        text: Option<&str>,
        archived_at: Option<TimeUs>,
        author: Option<&UserId>,
        audit: &NewAuditEvent,
    ) -> Result<Requirement, StoreError> {
        check_text(Field::Requirement, text.unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            let head: Option<i64> = sqlx::query_scalar(
                "update requirements set revision = revision + 1, head_version = head_version + $3, \
                 archived_at = $4, updated_at = $5 where id = $1 and revision = $2 returning head_version",
            )
            .bind(id).bind(seen).bind(i64::from(text.is_some())).bind(archived_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let head = head.ok_or(StoreError::Stale { what: Resource::Requirement })?;
            if let Some(text) = text {
                sqlx::query(INSERT_VERSION).bind(id).bind(head).bind(text).bind(author).bind(audit.at)
                    .execute(&mut *tx).await?;
                sqlx::query(SUSPECT_BY_REQUIREMENT).bind(id).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
        });
        self.find_requirement(id).await
    }

    /// Creates a trace link between the current versions.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if they are linked already.
    pub async fn create_trace_link(&self, link: &TraceLink, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::Element, &link.element)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into trace_links (", link_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ))
            .bind(&link.id).bind(&link.project_id).bind(&link.requirement_id).bind(link.requirement_version)
            .bind(&link.diagram_id).bind(&link.element).bind(link.diagram_version).bind(&link.suspect)
            .bind(&link.created_by).bind(link.created_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    pub async fn find_trace_link(&self, id: &TraceLinkId) -> Result<TraceLink, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", link_columns!(), " from trace_links where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::TraceLink })
    }

    /// The trace links of a diagram that match `filter`, newest first.
    pub async fn list_trace_links(
        &self,
        diagram: &DiagramId,
        filter: &LinkFilter,
        page: &PageRequest,
    ) -> Result<Page<TraceLink>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<TraceLink> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", link_columns!(), " from trace_links where diagram_id = $4 and (created_at, id) < ($1, $2) ",
                "and ($5 is null or (suspect is not null) = $5) and ($6 is null or element = $6) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(diagram).bind(filter.suspect)
            .bind(filter.element.as_deref()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Marks a link as reviewed at the current versions of both sides.
    pub async fn confirm_trace_link(
        &self,
        id: &TraceLinkId,
        audit: &NewAuditEvent,
    ) -> Result<TraceLink, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let confirmed: Option<TraceLink> = sqlx::query_as(concat!(
                "update trace_links set suspect = null, ",
                "requirement_version = \
                 (select head_version from requirements where requirements.id = requirement_id), ",
                "diagram_version = (select head_version from diagrams where diagrams.id = diagram_id) ",
                "where id = $1 returning ", link_columns!()
            ))
            .bind(id).fetch_optional(&mut *tx).await?;
            let confirmed = confirmed.ok_or(StoreError::NotFound { what: Resource::TraceLink })?;
            record_audit!(tx, audit);
            confirmed
        }))
    }

    /// Deletes a link.
    pub async fn delete_trace_link(&self, id: &TraceLinkId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from trace_links where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::TraceLink });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
