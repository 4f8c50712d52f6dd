//! Glossary terms of a project, unique regardless of case.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    Field, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Store, StoreError, TermId, TimeUs,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub id: TermId,
    pub project_id: ProjectId,
    pub term: String,
    /// The term in lower case, unique in its project.
    pub folded: String,
    pub definition: String,
    /// Incremented by each change.
    pub revision: i64,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(Term, term_columns { id, project_id, term, folded, definition, revision, created_at, updated_at });

impl Store {
    /// Writes a word.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `term` if the project has it already.
    pub async fn create_term(&self, term: &Term, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::Term, &term.term)?;
        check_text(Field::Definition, &term.definition)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(concat!(
                "insert into glossary_terms (", term_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&term.id).bind(&term.project_id).bind(&term.term).bind(&term.folded).bind(&term.definition)
            .bind(term.revision).bind(term.created_at).bind(term.updated_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    /// One word.
    pub async fn find_term(&self, id: &TermId) -> Result<Term, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", term_columns!(), " from glossary_terms where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Term })
    }

    /// The words of a project, last written first.
    pub async fn list_terms(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Term>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Term> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", term_columns!(), " from glossary_terms ",
                "where project_id = $4 and (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Changes a word whose revision is still `seen`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not, [`StoreError::Conflict`] on `term`.
    pub async fn update_term(
        &self,
        id: &TermId,
        seen: i64,
        (term, folded): (&str, &str),
        definition: &str,
        audit: &NewAuditEvent,
    ) -> Result<Term, StoreError> {
        check_text(Field::Term, term)?;
        check_text(Field::Definition, definition)?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Term> = sqlx::query_as(concat!(
                "update glossary_terms set term = $3, folded = $4, definition = $5, revision = revision + 1, ",
                "updated_at = $6 where id = $1 and revision = $2 returning ", term_columns!()
            ))
            .bind(id).bind(seen).bind(term).bind(folded).bind(definition).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Term })?;
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Takes a word away.
    pub async fn delete_term(&self, id: &TermId, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            let gone = sqlx::query("delete from glossary_terms where id = $1").bind(id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Term });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
