//! Reviews of diagrams: comments, approvals and baselines.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    ApprovalId, BaselineId, CommentId, DiagramId, Field, NewAuditEvent, Page, PageRequest, ProjectId,
    Resource, Store, StoreError, TimeUs, UserId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: CommentId,
    pub project_id: ProjectId,
    pub diagram_id: DiagramId,
    pub version: i64,
    /// `None` for the whole diagram.
    pub element: Option<String>,
    pub body: String,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
    pub resolved_by: Option<UserId>,
    pub resolved_at: Option<TimeUs>,
}

row!(
    Comment,
    comment_columns {
        id,
        project_id,
        diagram_id,
        version,
        element,
        body,
        created_by,
        created_at,
        resolved_by,
        resolved_at,
    }
);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommentFilter {
    /// Only resolved comments, or only open ones.
    pub resolved: Option<bool>,
    pub element: Option<String>,
}

/// The decision of a reviewer about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub id: ApprovalId,
    pub diagram_id: DiagramId,
    pub version: i64,
    /// `approved` or `rejected`.
    pub decision: String,
    pub note: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
}

row!(Approval, approval_columns { id, diagram_id, version, decision, note, created_by, created_at });

/// A named set of versions of diagrams and requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    pub id: BaselineId,
    pub project_id: ProjectId,
    pub name: String,
    pub created_by: Option<UserId>,
    pub created_at: TimeUs,
}

row!(Baseline, baseline_columns { id, project_id, name, created_by, created_at });

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineItem {
    /// `diagram` or `requirement`.
    pub what: String,
    pub subject_id: String,
    pub version: i64,
}

row!(BaselineItem { what, subject_id, version });

impl Store {
    /// Creates a comment.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the text holds U+0000.
    pub async fn create_comment(&self, comment: &Comment, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::Comment, &comment.body)?;
        check_text(Field::Element, comment.element.as_deref().unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into comments (", comment_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ))
            .bind(&comment.id).bind(&comment.project_id).bind(&comment.diagram_id).bind(comment.version)
            .bind(&comment.element).bind(&comment.body).bind(&comment.created_by).bind(comment.created_at)
            .bind(&comment.resolved_by).bind(comment.resolved_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    pub async fn find_comment(&self, id: &CommentId) -> Result<Comment, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", comment_columns!(), " from comments where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Comment })
    }

    /// The comments of a diagram that match `filter`, newest first.
    pub async fn list_comments(
        &self,
        diagram: &DiagramId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> Result<Page<Comment>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Comment> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", comment_columns!(), " from comments where diagram_id = $4 and (created_at, id) < ($1, $2) ",
                "and ($5 is null or (resolved_at is not null) = $5) and ($6 is null or element = $6) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(diagram).bind(filter.resolved)
            .bind(filter.element.as_deref()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Resolves or reopens a comment.
    pub async fn resolve_comment(
        &self,
        id: &CommentId,
        resolved: Option<(Option<&UserId>, TimeUs)>,
        audit: &NewAuditEvent,
    ) -> Result<Comment, StoreError> {
        let (by, at) = resolved.map_or((None, None), |(by, at)| (by, Some(at)));
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Comment> = sqlx::query_as(concat!(
                "update comments set resolved_by = $2, resolved_at = $3 where id = $1 returning ", comment_columns!()
            ))
            .bind(id).bind(by).bind(at).fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::NotFound { what: Resource::Comment })?;
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Creates an approval.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the note holds U+0000.
    pub async fn create_approval(
        &self,
        approval: &Approval,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text(Field::Note, approval.note.as_deref().unwrap_or_default())?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into approvals (", approval_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7)"
            ))
            .bind(&approval.id).bind(&approval.diagram_id).bind(approval.version).bind(&approval.decision)
            .bind(&approval.note).bind(&approval.created_by).bind(approval.created_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The approvals of a version, newest first.
    pub async fn list_approvals(
        &self,
        diagram: &DiagramId,
        version: i64,
        page: &PageRequest,
    ) -> Result<Page<Approval>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Approval> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", approval_columns!(), " from approvals ",
                "where diagram_id = $4 and version = $5 and (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(diagram).bind(version).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Creates a baseline of the newest version of every active diagram and requirement of a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project.
    pub async fn create_baseline(
        &self,
        baseline: &Baseline,
        audit: &NewAuditEvent,
    ) -> Result<(), StoreError> {
        check_text(Field::Name, &baseline.name)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!("insert into baselines (", baseline_columns!(), ") values ($1, $2, $3, $4, $5)"))
                .bind(&baseline.id).bind(&baseline.project_id).bind(&baseline.name).bind(&baseline.created_by)
                .bind(baseline.created_at)
                .execute(&mut *tx).await
                .map_err(crate::error::or_missing(Resource::Project))?;
            for statement in [
                "insert into baseline_items (baseline_id, what, subject_id, version) \
                 select $1, 'diagram', id, head_version from diagrams where project_id = $2 and archived_at is null",
                "insert into baseline_items (baseline_id, what, subject_id, version) \
                 select $1, 'requirement', id, head_version from requirements \
                 where project_id = $2 and archived_at is null",
            ] {
                sqlx::query(statement).bind(&baseline.id).bind(&baseline.project_id).execute(&mut *tx).await?;
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// The baselines of a project, newest first.
    pub async fn list_baselines(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Baseline>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Baseline> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", baseline_columns!(), " from baselines ",
                "where project_id = $4 and (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// A baseline and its items.
    pub async fn find_baseline(&self, id: &BaselineId) -> Result<(Baseline, Vec<BaselineItem>), StoreError> {
        let found: Option<Baseline> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", baseline_columns!(), " from baselines where id = $1"))
                .bind(id).fetch_optional(db).await
        })?;
        let found = found.ok_or(StoreError::NotFound { what: Resource::Baseline })?;
        let items = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select what, subject_id, version from baseline_items where baseline_id = $1 order by what, subject_id",
            )
            .bind(id).fetch_all(db).await
        })?;
        Ok((found, items))
    }
}
