//! Versions of diagrams: written once, never changed (a trigger in the database says so too). Those that a person makes
//! are written here, those that a generation makes in `generations.rs`.

use crate::audit::keep_audit;
use crate::diagrams::{ADVANCE_DIAGRAM_SEEN, FIND_DIAGRAM, INSERT_DIAGRAM};
use crate::error::or_missing;
use crate::folders::check_folder;
use crate::generations::check_version;
use crate::pool::{in_transaction, on_pool};
use crate::requirements::{SUSPECT_BY_DIAGRAM, SUSPECT_BY_ELEMENT};
use crate::row::row;
use crate::search::keep_words;
use crate::{
    Diagram, DiagramId, GenerationId, JsonText, NewAuditEvent, NewDiagram, Page, PageRequest, Store,
    StoreError, TimeUs, UserId, VersionId,
};

/// One version of a diagram, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The diagram that it is a version of.
    pub diagram_id: DiagramId,
    /// 1 for the first version of the diagram, then up by one.
    pub number: u32,
    /// The generation that made it; none if a person did.
    pub generation_id: Option<GenerationId>,
    /// The requirement text that it draws.
    pub requirement: String,
    /// The typed diagram, if there was one before the Mermaid text.
    pub blueprint: Option<JsonText>,
    /// The diagram itself.
    pub mermaid: String,
    /// Whether Mermaid accepted exactly this text.
    pub validated: bool,
    /// What was found in it: a list.
    pub findings: JsonText,
    /// Which element came from which part of the requirement: a list.
    pub trace: JsonText,
    /// When it was written.
    pub created_at: TimeUs,
    /// Who made it; none where nobody has to say who they are.
    pub created_by: Option<UserId>,
    /// What its author says of it.
    pub note: Option<String>,
}

row!(Version { id, diagram_id, number as i64, generation_id, requirement, blueprint, mermaid, validated, findings, trace, created_at, created_by, note });

/// A version in a list: without the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its id.
    pub id: VersionId,
    /// The diagram that it is a version of.
    pub diagram_id: DiagramId,
    /// 1 for the first version of the diagram, then up by one.
    pub number: u32,
    /// The generation that made it; none if a person did.
    pub generation_id: Option<GenerationId>,
    /// Whether Mermaid accepted exactly this text.
    pub validated: bool,
    /// When it was written.
    pub created_at: TimeUs,
    /// Who made it; none where nobody has to say who they are.
    pub created_by: Option<UserId>,
    /// What its author says of it.
    pub note: Option<String>,
}

row!(VersionSummary { id, diagram_id, number as i64, generation_id, validated, created_at, created_by, note });

/// A version to write, with the generation that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// Its id.
    pub id: VersionId,
    /// Of which diagram.
    pub of: VersionOf,
    /// The requirement text that it draws.
    pub requirement: String,
    /// The typed diagram, if there was one before the Mermaid text.
    pub blueprint: Option<JsonText>,
    /// The diagram itself.
    pub mermaid: String,
    /// Whether Mermaid accepted exactly this text.
    pub validated: bool,
    /// What was found in it: a list.
    pub findings: JsonText,
    /// Which element came from which part of the requirement: a list.
    pub trace: JsonText,
    /// Who made it; none where nobody has to say who they are.
    pub created_by: Option<UserId>,
    /// What its author says of it.
    pub note: Option<String>,
}

/// Which diagram a new version belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOf {
    /// One that begins with it.
    New(NewDiagram),
    /// One that is there; the version becomes its newest.
    Existing(DiagramId),
}

/// What a version changed, of the version before: links to that become suspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Nobody can tell.
    Everything,
    /// These elements.
    Elements(Vec<String>),
}

/// The columns of [`Version`]; a macro, because statements are put together at compile time.
macro_rules! version_columns {
    () => {
        "id, diagram_id, number, generation_id, requirement, blueprint, mermaid, validated, findings, trace, created_at, \
         created_by, note"
    };
}

pub(crate) const INSERT_VERSION: &str = concat!(
    "insert into diagram_versions (",
    version_columns!(),
    ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ",
    version_columns!()
);

impl Store {
    /// Writes a version that a person made, of a new diagram, or of one whose revision is still `seen`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if somebody else has changed it meanwhile, [`StoreError::NotFound`] if there is no
    /// such diagram, project or folder.
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
                    sqlx::query_as(INSERT_DIAGRAM)
                        .bind(&new.id).bind(&new.project_id).bind(&new.kind).bind(&new.title).bind(at)
                        .bind(&new.folder_id)
                        .fetch_one(&mut *tx).await
                        .map_err(or_missing("project"))?
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
                                Some(_) => StoreError::Stale { what: "diagram" },
                                None => StoreError::NotFound { what: "diagram" },
                            });
                        }
                    }
                }
            };
            let made: Version = sqlx::query_as(INSERT_VERSION)
                .bind(&version.id).bind(&diagram.id).bind(i64::from(diagram.head_version))
                .bind(None::<GenerationId>).bind(&version.requirement).bind(&version.blueprint)
                .bind(&version.mermaid).bind(version.validated).bind(&version.findings).bind(&version.trace)
                .bind(at).bind(&version.created_by).bind(&version.note)
                .fetch_one(&mut *tx).await?;
            if matches!(version.of, VersionOf::New(_)) {
                keep_words!(tx, &diagram);
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
            keep_audit!(tx, audit);
            (diagram, made)
        }))
    }

    /// One version, by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_version(&self, id: &VersionId) -> Result<Version, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", version_columns!(), " from diagram_versions where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "version" })
    }

    /// One version, by its number; the newest is `head_version` of the diagram.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_version_number(&self, diagram: &DiagramId, number: u32) -> Result<Version, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", version_columns!(), " from diagram_versions where diagram_id = $1 and number = $2"
            ))
            .bind(diagram).bind(i64::from(number)).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "version" })
    }

    /// The versions of a diagram, newest first. An unknown diagram has none.
    ///
    /// # Errors
    /// Only those of the database.
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
