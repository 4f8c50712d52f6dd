//! Versions of diagrams: written once, never changed (a trigger in the database says so too). Never written here:
//! a version is written with the generation that made it, in `generations.rs`.

use crate::pool::on_pool;
use crate::{
    DiagramId, GenerationId, JsonText, NewDiagram, Page, PageRequest, Store, StoreError, TimeUs, VersionId,
};

/// One version of a diagram, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The diagram that it is a version of.
    pub diagram_id: DiagramId,
    /// 1 for the first version of the diagram, then up by one.
    #[sqlx(try_from = "i64")]
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
}

/// A version in a list: without the texts.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VersionSummary {
    /// Its id.
    pub id: VersionId,
    /// The diagram that it is a version of.
    pub diagram_id: DiagramId,
    /// 1 for the first version of the diagram, then up by one.
    #[sqlx(try_from = "i64")]
    pub number: u32,
    /// The generation that made it; none if a person did.
    pub generation_id: Option<GenerationId>,
    /// Whether Mermaid accepted exactly this text.
    pub validated: bool,
    /// When it was written.
    pub created_at: TimeUs,
}

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
}

/// Which diagram a new version belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOf {
    /// One that begins with it.
    New(NewDiagram),
    /// One that is there; the version becomes its newest.
    Existing(DiagramId),
}

/// The columns of [`Version`]; a macro, because statements are put together at compile time.
macro_rules! version_columns {
    () => {
        "id, diagram_id, number, generation_id, requirement, blueprint, mermaid, validated, findings, trace, created_at"
    };
}

pub(crate) const INSERT_VERSION: &str = concat!(
    "insert into diagram_versions (",
    version_columns!(),
    ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ",
    version_columns!()
);

impl Store {
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
                "select id, diagram_id, number, generation_id, validated, created_at from diagram_versions \
                 where diagram_id = $1 and (number, id) < ($2, $3) order by number desc, id desc limit $4",
            )
            .bind(diagram).bind(number).bind(id).bind(page.rows_to_fetch())
            .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (i64::from(it.number), it.id.as_str())))
    }
}
