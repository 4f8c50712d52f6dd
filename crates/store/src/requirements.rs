//! Requirements: numbered, with versions that never change, and the links from them to elements of diagrams.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::page::sift;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::search::{has_words, words};
use crate::{
    DiagramId, NewAuditEvent, Page, PageRequest, ProjectId, RequirementId, Store, StoreError, TimeUs,
    TraceLinkId, UserId,
};

/// A requirement and its newest words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its id.
    pub id: RequirementId,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// What people call it by, from 1 in each project.
    pub number: i64,
    /// Number of its newest version, from 1.
    pub head_version: i64,
    /// Up by one with each change.
    pub revision: i64,
    /// Since when it does not count any more.
    pub archived_at: Option<TimeUs>,
    /// When it was first written.
    pub created_at: TimeUs,
    /// When it last changed.
    pub updated_at: TimeUs,
    /// Its words.
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

/// Which requirements are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequirementFilter {
    /// Those that do not count any more, instead of those that do.
    pub archived: bool,
    /// Only those that have words which begin with all the words of this.
    pub words: Option<String>,
}

/// One state of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementVersion {
    /// 1 for the first, then up by one.
    pub number: i64,
    /// The words.
    pub text: String,
    /// Who wrote them.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: TimeUs,
}

row!(RequirementVersion { number, text, created_by, created_at });

/// Which requirement an element comes from, and whether somebody must look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLink {
    /// Its id.
    pub id: TraceLinkId,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// The requirement.
    pub requirement_id: RequirementId,
    /// The version of it that somebody looked at.
    pub requirement_version: i64,
    /// The diagram.
    pub diagram_id: DiagramId,
    /// The element of the diagram.
    pub element: String,
    /// The version of the diagram that somebody looked at.
    pub diagram_version: i64,
    /// What has changed since: `requirement`, `diagram` or `both`.
    pub suspect: Option<String>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: TimeUs,
}

row!(TraceLink {
    id,
    project_id,
    requirement_id,
    requirement_version,
    diagram_id,
    element,
    diagram_version,
    suspect,
    created_by,
    created_at
});

/// Which links are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Only those of which a side has changed, or only those of which none has.
    pub suspect: Option<bool>,
    /// Only those of this element.
    pub element: Option<String>,
}

macro_rules! select_requirement {
    () => {
        "select r.id, r.project_id, r.number, r.head_version, r.revision, r.archived_at, r.created_at, r.updated_at, \
         v.text from requirements r \
         join requirement_versions v on v.requirement_id = r.id and v.number = r.head_version "
    };
}

macro_rules! link_columns {
    () => {
        "id, project_id, requirement_id, requirement_version, diagram_id, element, diagram_version, suspect, \
         created_by, created_at"
    };
}

const INSERT_VERSION: &str = "insert into requirement_versions (requirement_id, number, text, created_by, created_at) \
                              values ($1, $2, $3, $4, $5)";

/// The other side may have changed before: then both have.
pub(crate) const SUSPECT_BY_REQUIREMENT: &str = "update trace_links set suspect = case when suspect in ('diagram', 'both') then 'both' else 'requirement' end \
     where requirement_id = $1";
pub(crate) const SUSPECT_BY_ELEMENT: &str = "update trace_links set suspect = case when suspect in ('requirement', 'both') then 'both' else 'diagram' end \
     where diagram_id = $1 and element = $2";
pub(crate) const SUSPECT_BY_DIAGRAM: &str = "update trace_links set suspect = case when suspect in ('requirement', 'both') then 'both' else 'diagram' end \
     where diagram_id = $1";

impl Store {
    /// Writes requirements, all or none, with the next numbers of the project.
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
            check_text("requirement", text)?;
        }
        let at = audit.at;
        Ok(in_transaction!(&self.pool, tx => {
            // Locks the project, so that two writers do not take the same number.
            let locked = sqlx::query("update projects set updated_at = updated_at where id = $1")
                .bind(project).execute(&mut *tx).await?;
            if locked.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "project" });
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
            keep_audit!(tx, audit);
            made
        }))
    }

    /// One requirement.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_requirement(&self, id: &RequirementId) -> Result<Requirement, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(select_requirement!(), "where r.id = $1")).bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "requirement" })
    }

    /// The requirements of a project that `filter` lets through, last written first. With words to look for, a page may
    /// have fewer than asked for although there are more.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_requirements(
        &self,
        project: &ProjectId,
        filter: &RequirementFilter,
        page: &PageRequest,
    ) -> Result<Page<Requirement>, StoreError> {
        // Not in SQL, because the two databases disagree on small letters.
        let asked = words(filter.words.as_deref().unwrap_or_default());
        let fetch = |page| async move { self.list_all_requirements(project, filter.archived, &page).await };
        match asked.is_empty() {
            true => fetch(page.clone()).await,
            false => {
                let wanted = |it: &Requirement| has_words(&it.text, &asked);
                sift(page, |it| (it.number, it.id.as_str()), wanted, fetch).await
            }
        }
    }

    async fn list_all_requirements(
        &self,
        project: &ProjectId,
        archived: bool,
        page: &PageRequest,
    ) -> Result<Page<Requirement>, StoreError> {
        // By number and not by moment: those that came together have one moment.
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
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Changes a requirement whose revision is still `seen`: other words, or whether it counts. Links to it become
    /// suspect with other words.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not.
    pub async fn update_requirement(
        &self,
        id: &RequirementId,
        seen: i64,
        text: Option<&str>,
        archived_at: Option<TimeUs>,
        author: Option<&UserId>,
        audit: &NewAuditEvent,
    ) -> Result<Requirement, StoreError> {
        check_text("requirement", text.unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            let head: Option<i64> = sqlx::query_scalar(
                "update requirements set revision = revision + 1, head_version = head_version + $3, \
                 archived_at = $4, updated_at = $5 where id = $1 and revision = $2 returning head_version",
            )
            .bind(id).bind(seen).bind(i64::from(text.is_some())).bind(archived_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let head = head.ok_or(StoreError::Stale { what: "requirement" })?;
            if let Some(text) = text {
                sqlx::query(INSERT_VERSION).bind(id).bind(head).bind(text).bind(author).bind(audit.at)
                    .execute(&mut *tx).await?;
                sqlx::query(SUSPECT_BY_REQUIREMENT).bind(id).execute(&mut *tx).await?;
            }
            keep_audit!(tx, audit);
        });
        self.find_requirement(id).await
    }

    /// Links an element to a requirement, both as they are now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `trace link` if they are linked already.
    pub async fn create_trace_link(&self, link: &TraceLink, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text("element", &link.element)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into trace_links (", link_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ))
            .bind(&link.id).bind(&link.project_id).bind(&link.requirement_id).bind(link.requirement_version)
            .bind(&link.diagram_id).bind(&link.element).bind(link.diagram_version).bind(&link.suspect)
            .bind(&link.created_by).bind(link.created_at)
            .execute(&mut *tx).await?;
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// One link.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_trace_link(&self, id: &TraceLinkId) -> Result<TraceLink, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", link_columns!(), " from trace_links where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "trace link" })
    }

    /// The links of a diagram that `filter` lets through, newest first.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Somebody has looked at both sides as they are now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn confirm_trace_link(
        &self,
        id: &TraceLinkId,
        audit: &NewAuditEvent,
    ) -> Result<TraceLink, StoreError> {
        Ok(in_transaction!(&self.pool, tx => {
            let confirmed: Option<TraceLink> = sqlx::query_as(concat!(
                "update trace_links set suspect = null, ",
                "requirement_version = (select head_version from requirements where requirements.id = requirement_id), ",
                "diagram_version = (select head_version from diagrams where diagrams.id = diagram_id) ",
                "where id = $1 returning ", link_columns!()
            ))
            .bind(id).fetch_optional(&mut *tx).await?;
            let confirmed = confirmed.ok_or(StoreError::NotFound { what: "trace link" })?;
            keep_audit!(tx, audit);
            confirmed
        }))
    }

    /// Takes a link away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_trace_link(&self, id: &TraceLinkId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from trace_links where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: "trace link" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }
}
