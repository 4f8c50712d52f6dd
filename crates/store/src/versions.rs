//! Versions of diagrams: immutable (a trigger in the database enforces it). Versions by users are written here,
//! versions by generations in `generations.rs`.

use crate::audit::record_audit;
use crate::diagrams::{ADVANCE_DIAGRAM_SEEN, FIND_DIAGRAM, insert_diagram};
use crate::folders::check_folder;
use crate::pool::{in_transaction, on_pool};
use crate::requirements::{SUSPECT_BY_DIAGRAM, SUSPECT_BY_ELEMENT};
use crate::row::row;
use crate::text::check_text;
use crate::words::index_words;
use crate::{
    Diagram, DiagramId, Field, GenerationId, JsonText, NewAuditEvent, NewDiagram, Page, PageRequest,
    Resource, Store, StoreError, TimeUs, UserId, VersionId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub id: VersionId,
    pub diagram_id: DiagramId,
    /// From 1, per diagram.
    pub number: u32,
    /// `None` if a user wrote it.
    pub generation_id: Option<GenerationId>,
    pub requirement: String,
    /// The typed diagram, if the Mermaid text was compiled from one.
    pub blueprint: Option<JsonText>,
    pub mermaid: String,
    /// Mermaid accepted exactly this text.
    pub validated: bool,
    /// A list.
    pub findings: JsonText,
    /// A list: which element comes from which part of the requirement.
    pub trace: JsonText,
    pub created_at: TimeUs,
    /// `None` in local mode.
    pub created_by: Option<UserId>,
    pub note: Option<String>,
}

row!(Version, version_columns {
    id, diagram_id, number as i64, generation_id, requirement, blueprint, mermaid, validated,
    findings, trace, created_at, created_by, note,
});

/// A version without its texts, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    pub id: VersionId,
    pub diagram_id: DiagramId,
    /// From 1, per diagram.
    pub number: u32,
    /// `None` if a user wrote it.
    pub generation_id: Option<GenerationId>,
    /// Mermaid accepted exactly this text.
    pub validated: bool,
    pub created_at: TimeUs,
    /// `None` in local mode.
    pub created_by: Option<UserId>,
    pub note: Option<String>,
}

row!(VersionSummary { id, diagram_id, number as i64, generation_id, validated, created_at, created_by, note });

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    pub id: VersionId,
    pub of: VersionOf,
    pub requirement: String,
    /// The typed diagram, if the Mermaid text was compiled from one.
    pub blueprint: Option<JsonText>,
    pub mermaid: String,
    /// Mermaid accepted exactly this text.
    pub validated: bool,
    /// A list.
    pub findings: JsonText,
    /// A list: which element comes from which part of the requirement.
    pub trace: JsonText,
    /// `None` in local mode.
    pub created_by: Option<UserId>,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOf {
    /// A new diagram.
    New(NewDiagram),
    /// An existing diagram; the version becomes its newest.
    Existing(DiagramId),
}

/// The elements that a version changed: their trace links become suspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Unknown.
    Everything,
    Elements(Vec<String>),
}

pub(crate) const INSERT_VERSION: &str = concat!(
    "insert into diagram_versions (",
    version_columns!(),
    ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ",
    version_columns!()
);

/// Inserts a version as the newest of `$diagram` in the transaction `$tx`.
macro_rules! insert_version {
    ($tx:ident, $version:expr, $diagram:expr, $generation:expr, $at:expr) => {{
        let version: &$crate::NewVersion = $version;
        let diagram: &$crate::Diagram = $diagram;
        let generation: Option<&$crate::GenerationId> = $generation;
        let made: $crate::Version = sqlx::query_as($crate::versions::INSERT_VERSION)
            .bind(&version.id)
            .bind(&diagram.id)
            .bind(i64::from(diagram.head_version))
            .bind(generation)
            .bind(&version.requirement)
            .bind(&version.blueprint)
            .bind(&version.mermaid)
            .bind(version.validated)
            .bind(&version.findings)
            .bind(&version.trace)
            .bind($at)
            .bind(&version.created_by)
            .bind(&version.note)
            .fetch_one(&mut *$tx)
            .await?;
        made
    }};
}

pub(crate) use insert_version;

impl Store {
    /// Writes a version by a user, of a new diagram or of one whose revision is `seen`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not, [`StoreError::NotFound`] if there is no such diagram, project or folder.
    pub async fn record_version(
        &self,
        version: &NewVersion,
        seen: Option<i64>,
        touched: &Touched,
        audit: &NewAuditEvent,
    ) -> Result<(Diagram, Version), StoreError> {
        check_version(version)?;
        let at = audit.at;
        Ok(in_transaction!(&self.pool, tx => {
            let diagram: Diagram = match &version.of {
                VersionOf::New(new) => {
                    if let Some(folder) = &new.folder_id {
                        check_folder!(tx, &new.project_id, folder);
                    }
                    insert_diagram!(tx, new, at)
                }
                VersionOf::Existing(id) => {
                    let advanced: Option<Diagram> = sqlx::query_as(ADVANCE_DIAGRAM_SEEN)
                        .bind(id).bind(at).bind(seen)
                        .fetch_optional(&mut *tx).await?;
                    match advanced {
                        Some(diagram) => diagram,
                        None => {
                            let there: Option<Diagram> =
                                sqlx::query_as(FIND_DIAGRAM).bind(id).fetch_optional(&mut *tx).await?;
                            return Err(match there {
                                Some(_) => StoreError::Stale { what: Resource::Diagram },
                                None => StoreError::NotFound { what: Resource::Diagram },
                            });
                        }
                    }
                }
            };
            let made = insert_version!(tx, version, &diagram, None, at);
            if matches!(version.of, VersionOf::New(_)) {
                index_words!(tx, &diagram);
            }
            match touched {
                Touched::Everything => {
                    sqlx::query(SUSPECT_BY_DIAGRAM).bind(&diagram.id).execute(&mut *tx).await?;
                }
                Touched::Elements(elements) => {
                    for element in elements {
                        sqlx::query(SUSPECT_BY_ELEMENT).bind(&diagram.id).bind(element).execute(&mut *tx).await?;
                    }
                }
            }
            record_audit!(tx, audit);
            (diagram, made)
        }))
    }

    pub async fn find_version(&self, id: &VersionId) -> Result<Version, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", version_columns!(), " from diagram_versions where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Version })
    }

    /// The newest is `head_version` of the diagram.
    pub async fn find_version_number(&self, diagram: &DiagramId, number: u32) -> Result<Version, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", version_columns!(), " from diagram_versions where diagram_id = $1 and number = $2"
            ))
            .bind(diagram).bind(i64::from(number)).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Version })
    }

    /// The versions of a diagram, newest first. Empty for an unknown diagram.
    pub async fn list_versions(
        &self,
        diagram: &DiagramId,
        page: &PageRequest,
    ) -> Result<Page<VersionSummary>, StoreError> {
        let (number, id) = page.before();
        let rows: Vec<VersionSummary> = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select id, diagram_id, number, generation_id, validated, created_at, created_by, note \
                 from diagram_versions \
                 where diagram_id = $1 and (number, id) < ($2, $3) order by number desc, id desc limit $4",
            )
            .bind(diagram).bind(number).bind(id).bind(page.rows_to_fetch())
            .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (i64::from(it.number), it.id.as_str())))
    }
}

pub(crate) fn check_version(version: &NewVersion) -> Result<(), StoreError> {
    check_text(Field::Requirement, &version.requirement)?;
    check_text(Field::MermaidText, &version.mermaid)?;
    check_text(Field::Note, version.note.as_deref().unwrap_or_default())?;
    if let VersionOf::New(diagram) = &version.of {
        check_text(Field::Kind, &diagram.kind)?;
        check_text(Field::Title, &diagram.title)?;
    }
    Ok(())
}
