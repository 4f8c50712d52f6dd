//! Generations: one row per request and its outcome, with or without a diagram. Immutable: a retry is a second
//! generation.
//!
//! [`Store::record_generation`] writes the generation, the diagram that it created or advanced, and the new version
//! in one transaction.

use crate::audit::record_audit;
use crate::diagrams::{ADVANCE_DIAGRAM, FIND_DIAGRAM, insert_diagram};
use crate::error::or_missing;
use crate::folders::check_folder;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::versions::{check_version, insert_version};
use crate::words::index_words;
use crate::{
    Diagram, DiagramId, Field, GenerationId, Job, JsonText, NewAuditEvent, NewDiagram, NewVersion, Page,
    PageRequest, ProjectId, Resource, Store, StoreError, TimeUs, UserId, Version, VersionOf,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenerationStatus {
    /// The requested provider wrote the diagram.
    Succeeded,
    /// The built-in drafter wrote it instead.
    FellBack,
    /// No usable diagram.
    Failed,
}

impl GenerationStatus {
    /// The stored value: `succeeded`, `fell_back` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::FellBack => "fell_back",
            Self::Failed => "failed",
        }
    }
}

impl TryFrom<String> for GenerationStatus {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        [Self::Succeeded, Self::FellBack, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(StoreError::Invalid { what: Field::GenerationStatus })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub id: GenerationId,
    pub project_id: Option<ProjectId>,
    /// The caller's own identifier of the text.
    pub content_id: Option<String>,
    pub diagram_id: Option<DiagramId>,
    /// The requested kind of diagram.
    pub kind: String,
    pub status: GenerationStatus,
    /// The full request text.
    pub request: String,
    /// For example `builtin` or `openrouter`.
    pub provider: String,
    pub model: String,
    /// The validating engine and its targets.
    pub validator: Option<JsonText>,
    /// Model calls after the first.
    pub retry_count: u32,
    /// A list.
    pub repairs: JsonText,
    /// Set if a diagram was written although something went wrong.
    pub warning: Option<String>,
    /// A stable code.
    pub error_code: Option<String>,
    /// Over all calls.
    pub input_tokens: u32,
    pub output_tokens: u32,
    /// Millionths of a US dollar; `None` if unknown.
    pub cost_micro_usd: Option<i64>,
    /// From the request to the result, in microseconds.
    pub duration_us: i64,
    pub created_at: TimeUs,
    /// `None` in local mode.
    pub created_by: Option<UserId>,
}

row!(Generation, generation_columns {
    id, project_id, content_id, diagram_id, kind, status as String, request, provider, model,
    validator, retry_count as i64, repairs, warning, error_code, input_tokens as i64,
    output_tokens as i64, cost_micro_usd, duration_us, created_at, created_by,
});

/// A generation to write. The project and the diagram must exist; without a project, that of the diagram is written.
/// A version names its own diagram, so the generation need not. Cost and duration are 0 or more.
pub type NewGeneration = Generation;

/// What [`Store::record_generation`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub generation: Generation,
    pub diagram: Option<Diagram>,
    pub version: Option<Version>,
}

const INSERT_GENERATION: &str = concat!(
    "insert into generations (",
    generation_columns!(),
    ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) returning ",
    generation_columns!()
);

impl Store {
    /// Writes a generation and, if there is one, its version: all or nothing. Durable when it returns `Ok`.
    ///
    /// Ids make a retry safe when the outcome is unknown: what was written already answers [`StoreError::Conflict`]
    /// on the generation's id (or, with a version, on the id of a new diagram).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the project or the diagram does not exist, [`StoreError::Conflict`] if an id is
    /// taken, [`StoreError::Invalid`] if a value cannot be stored, [`StoreError::OtherProject`],
    /// [`StoreError::OtherDiagram`].
    pub async fn record_generation(
        &self,
        generation: NewGeneration,
        version: Option<NewVersion>,
        audit: &NewAuditEvent,
    ) -> Result<Recorded, StoreError> {
        check(&generation, version.as_ref())?;
        let at = generation.created_at;
        let recorded = in_transaction!(&self.pool, tx => {
            let of = version.as_ref().map(|version| &version.of);
            if let Some(VersionOf::New(NewDiagram { project_id, folder_id: Some(folder), .. })) = of {
                check_folder!(tx, project_id, folder);
            }
            let diagram: Option<Diagram> = match (of, &generation.diagram_id) {
                (Some(VersionOf::New(new)), _) => Some(insert_diagram!(tx, new, at)),
                (Some(VersionOf::Existing(id)), _) => {
                    Some(found(sqlx::query_as(ADVANCE_DIAGRAM).bind(id).bind(at).fetch_optional(&mut *tx).await?)?)
                }
                (None, Some(id)) => {
                    Some(found(sqlx::query_as(FIND_DIAGRAM).bind(id).fetch_optional(&mut *tx).await?)?)
                }
                (None, None) => None,
            };
            let project_id = project_of(&generation, diagram.as_ref())?;
            let generation: Generation = sqlx::query_as(INSERT_GENERATION)
                .bind(&generation.id)
                .bind(project_id)
                .bind(&generation.content_id)
                .bind(diagram.as_ref().map(|diagram| &diagram.id))
                .bind(&generation.kind)
                .bind(generation.status.as_str())
                .bind(&generation.request)
                .bind(&generation.provider)
                .bind(&generation.model)
                .bind(&generation.validator)
                .bind(i64::from(generation.retry_count))
                .bind(&generation.repairs)
                .bind(&generation.warning)
                .bind(&generation.error_code)
                .bind(i64::from(generation.input_tokens))
                .bind(i64::from(generation.output_tokens))
                .bind(generation.cost_micro_usd)
                .bind(generation.duration_us)
                .bind(at)
                .bind(&generation.created_by)
                .fetch_one(&mut *tx)
                .await
                // The diagram was just found, so the project is the one key that can be missing.
                .map_err(or_missing(Resource::Project))?;
            let version: Option<Version> = match (&version, &diagram) {
                (Some(version), Some(diagram)) => {
                    Some(insert_version!(tx, version, diagram, Some(&generation.id), at))
                }
                _ => None,
            };
            if let (Some(VersionOf::New(_)), Some(diagram)) = (of, &diagram) {
                index_words!(tx, diagram);
            }
            record_audit!(tx, audit);
            Recorded { generation, diagram, version }
        });
        Ok(recorded)
    }

    pub async fn find_generation(&self, id: &GenerationId) -> Result<Generation, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", generation_columns!(), " from generations where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Generation })
    }

    /// The generations of a page of jobs of one project, as [`Store::list_jobs`] returns it, in no order.
    pub async fn list_generations_of_jobs(&self, page: &[Job]) -> Result<Vec<Generation>, StoreError> {
        let (Some(newest), Some(oldest)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", generation_columns!(), " from generations where id in \
                 (select result from jobs where project_id = $1 and kind = 'generate' and status = 'done' \
                 and (created_at, id) <= ($2, $3) and (created_at, id) >= ($4, $5))"
            ))
            .bind(&newest.project_id)
            .bind(newest.created_at)
            .bind(&newest.id)
            .bind(oldest.created_at)
            .bind(&oldest.id)
            .fetch_all(db)
            .await
        })?)
    }

    /// All generations, newest first.
    pub async fn list_generations(&self, page: &PageRequest) -> Result<Page<Generation>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Generation> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", generation_columns!(), " from generations where (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch())
            .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }
}

fn found(diagram: Option<Diagram>) -> Result<Diagram, StoreError> {
    diagram.ok_or(StoreError::NotFound { what: Resource::Diagram })
}

fn check(generation: &NewGeneration, version: Option<&NewVersion>) -> Result<(), StoreError> {
    check_text(Field::Kind, &generation.kind)?;
    check_text(Field::Request, &generation.request)?;
    check_text(Field::Provider, &generation.provider)?;
    check_text(Field::Model, &generation.model)?;
    check_text(Field::ContentId, generation.content_id.as_deref().unwrap_or_default())?;
    check_text(Field::Warning, generation.warning.as_deref().unwrap_or_default())?;
    check_text(Field::ErrorCode, generation.error_code.as_deref().unwrap_or_default())?;
    if generation.cost_micro_usd.is_some_and(|cost| cost < 0) {
        return Err(StoreError::Invalid { what: Field::Cost });
    }
    if generation.duration_us < 0 {
        return Err(StoreError::Invalid { what: Field::Duration });
    }
    let Some(version) = version else { return Ok(()) };
    check_version(version)?;
    let diagram_id = match &version.of {
        VersionOf::New(diagram) => &diagram.id,
        VersionOf::Existing(id) => id,
    };
    if generation.diagram_id.as_ref().is_some_and(|id| id != diagram_id) {
        return Err(StoreError::OtherDiagram);
    }
    Ok(())
}

fn project_of(
    generation: &NewGeneration,
    diagram: Option<&Diagram>,
) -> Result<Option<ProjectId>, StoreError> {
    let of_diagram = diagram.map(|diagram| &diagram.project_id);
    match (&generation.project_id, of_diagram) {
        (Some(given), Some(actual)) if given != actual => Err(StoreError::OtherProject),
        (given, actual) => Ok(given.as_ref().or(actual).cloned()),
    }
}
