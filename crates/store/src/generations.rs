//! Generations: each request, and what became of it, whether or not a diagram did. Never rewritten: a second try is a
//! second generation.
//!
//! [`Store::record_generation`] is the one big write of the product: the generation, the diagram that it began or
//! moved on, and the version that it made, in one transaction.

use crate::audit::keep_audit;
use crate::diagrams::{ADVANCE_DIAGRAM, FIND_DIAGRAM, INSERT_DIAGRAM};
use crate::error::or_missing;
use crate::folders::check_folder;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::search::keep_words;
use crate::versions::INSERT_VERSION;
use crate::{
    Diagram, DiagramId, GenerationId, Job, JsonText, NewAuditEvent, NewDiagram, NewVersion, Page,
    PageRequest, ProjectId, Store, StoreError, TimeUs, UserId, Version, VersionOf,
};

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenerationStatus {
    /// The asked provider made the diagram.
    Succeeded,
    /// It did not, and the built-in drafter did.
    FellBack,
    /// No diagram that is fit for use came of it.
    Failed,
}

impl GenerationStatus {
    /// The word in the database: `succeeded`, `fell_back` or `failed`.
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
            .ok_or(StoreError::Invalid { what: "generation status" })
    }
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// The project it was made for, if for one.
    pub project_id: Option<ProjectId>,
    /// The caller's own name for the text, if it gave one.
    pub content_id: Option<String>,
    /// The diagram it was about, if one came of it or was there before.
    pub diagram_id: Option<DiagramId>,
    /// The word for the kind of diagram that was asked for.
    pub kind: String,
    /// How it ended.
    pub status: GenerationStatus,
    /// What was asked, in full.
    pub request: String,
    /// Who answered, such as `builtin` or `openrouter`.
    pub provider: String,
    /// Which model of theirs.
    pub model: String,
    /// Which engine judged the result, and for which targets.
    pub validator: Option<JsonText>,
    /// Model calls after the first.
    pub retry_count: u32,
    /// What was mended in the answer: a list.
    pub repairs: JsonText,
    /// What the caller should know although a diagram came of it.
    pub warning: Option<String>,
    /// The stable code of the failure, if it failed.
    pub error_code: Option<String>,
    /// Tokens sent to the model, over all calls.
    pub input_tokens: u32,
    /// Tokens that came back.
    pub output_tokens: u32,
    /// Millionths of a US dollar; none if nobody knows.
    pub cost_micro_usd: Option<i64>,
    /// From the request to the result, in microseconds.
    pub duration_us: i64,
    /// When it ended.
    pub created_at: TimeUs,
    /// Who asked; none where nobody has to say who they are.
    pub created_by: Option<UserId>,
}

row!(Generation { id, project_id, content_id, diagram_id, kind, status as String, request, provider, model, validator, retry_count as i64, repairs, warning, error_code, input_tokens as i64, output_tokens as i64, cost_micro_usd, duration_us, created_at, created_by });

/// A generation to write. The fields are those of [`Generation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is that of `Generation`, where it is explained")]
pub struct NewGeneration {
    pub id: GenerationId,
    /// Must exist. If it is none, and there is a diagram, the diagram's project is written.
    pub project_id: Option<ProjectId>,
    pub content_id: Option<String>,
    /// Must exist. Not needed with a version, which names its own diagram.
    pub diagram_id: Option<DiagramId>,
    pub kind: String,
    pub status: GenerationStatus,
    pub request: String,
    pub provider: String,
    pub model: String,
    pub validator: Option<JsonText>,
    pub retry_count: u32,
    pub repairs: JsonText,
    pub warning: Option<String>,
    pub error_code: Option<String>,
    pub input_tokens: u32,
    pub output_tokens: u32,
    /// 0 or more.
    pub cost_micro_usd: Option<i64>,
    /// 0 or more.
    pub duration_us: i64,
    pub created_at: TimeUs,
    pub created_by: Option<UserId>,
}

/// What [`Store::record_generation`] wrote, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The generation.
    pub generation: Generation,
    /// Its diagram, as it is now.
    pub diagram: Option<Diagram>,
    /// The version that was written.
    pub version: Option<Version>,
}

/// The columns of [`Generation`]; a macro, because statements are put together at compile time.
macro_rules! generation_columns {
    () => {
        "id, project_id, content_id, diagram_id, kind, status, request, provider, model, validator, retry_count, \
         repairs, warning, error_code, input_tokens, output_tokens, cost_micro_usd, duration_us, created_at, \
         created_by"
    };
}

const INSERT_GENERATION: &str = concat!(
    "insert into generations (",
    generation_columns!(),
    ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) returning ",
    generation_columns!()
);

impl Store {
    /// Writes a generation and, if a diagram came of it, the version: all of it or nothing. When this returns `Ok`, it
    /// is on disk.
    ///
    /// Ids make it safe to try again when the outcome is unknown: what was written already answers
    /// [`StoreError::Conflict`] on `generation id` (or, with a version, on `diagram id` of a new diagram).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the project or the diagram does not exist, [`StoreError::Conflict`] if an id is taken,
    /// [`StoreError::Invalid`] if the parts contradict each other or a text holds U+0000.
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
                (Some(VersionOf::New(new)), _) => Some(
                    sqlx::query_as(INSERT_DIAGRAM)
                        .bind(&new.id)
                        .bind(&new.project_id)
                        .bind(&new.kind)
                        .bind(&new.title)
                        .bind(at)
                        .bind(&new.folder_id)
                        .fetch_one(&mut *tx)
                        .await
                        .map_err(or_missing("project"))?,
                ),
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
                .map_err(or_missing("project"))?;
            let version: Option<Version> = match (&version, &diagram) {
                (Some(version), Some(diagram)) => Some(
                    sqlx::query_as(INSERT_VERSION)
                        .bind(&version.id)
                        .bind(&diagram.id)
                        .bind(i64::from(diagram.head_version))
                        .bind(&generation.id)
                        .bind(&version.requirement)
                        .bind(&version.blueprint)
                        .bind(&version.mermaid)
                        .bind(version.validated)
                        .bind(&version.findings)
                        .bind(&version.trace)
                        .bind(at)
                        .bind(&version.created_by)
                        .bind(&version.note)
                        .fetch_one(&mut *tx)
                        .await?,
                ),
                _ => None,
            };
            if let (Some(VersionOf::New(_)), Some(diagram)) = (of, &diagram) {
                keep_words!(tx, diagram);
            }
            keep_audit!(tx, audit);
            Recorded { generation, diagram, version }
        });
        Ok(recorded)
    }

    /// One generation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_generation(&self, id: &GenerationId) -> Result<Generation, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", generation_columns!(), " from generations where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "generation" })
    }

    /// What jobs have made that write diagrams: those of a page of one project, as [`Store::list_jobs`] gives it, in no order.
    ///
    /// # Errors
    /// Only those of the database.
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
    ///
    /// # Errors
    /// Only those of the database.
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
    diagram.ok_or(StoreError::NotFound { what: "diagram" })
}

/// PostgreSQL cannot hold U+0000 in a text and SQLite can; what only one of them keeps, neither takes.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') { Err(StoreError::Invalid { what }) } else { Ok(()) }
}

fn check(generation: &NewGeneration, version: Option<&NewVersion>) -> Result<(), StoreError> {
    check_text("kind", &generation.kind)?;
    check_text("request", &generation.request)?;
    check_text("provider", &generation.provider)?;
    check_text("model", &generation.model)?;
    check_text("content id", generation.content_id.as_deref().unwrap_or_default())?;
    check_text("warning", generation.warning.as_deref().unwrap_or_default())?;
    check_text("error code", generation.error_code.as_deref().unwrap_or_default())?;
    if generation.cost_micro_usd.is_some_and(|cost| cost < 0) {
        return Err(StoreError::Invalid { what: "cost" });
    }
    if generation.duration_us < 0 {
        return Err(StoreError::Invalid { what: "duration" });
    }
    let Some(version) = version else { return Ok(()) };
    check_version(version)?;
    let diagram_id = match &version.of {
        VersionOf::New(diagram) => &diagram.id,
        VersionOf::Existing(id) => id,
    };
    if generation.diagram_id.as_ref().is_some_and(|id| id != diagram_id) {
        return Err(StoreError::Invalid {
            what: "diagram id of the generation, which is not the version's,",
        });
    }
    Ok(())
}

pub(crate) fn check_version(version: &NewVersion) -> Result<(), StoreError> {
    check_text("requirement", &version.requirement)?;
    check_text("Mermaid text", &version.mermaid)?;
    check_text("note", version.note.as_deref().unwrap_or_default())?;
    if let VersionOf::New(diagram) = &version.of {
        check_text("kind", &diagram.kind)?;
        check_text("title", &diagram.title)?;
    }
    Ok(())
}

fn project_of(
    generation: &NewGeneration,
    diagram: Option<&Diagram>,
) -> Result<Option<ProjectId>, StoreError> {
    let of_diagram = diagram.map(|diagram| &diagram.project_id);
    match (&generation.project_id, of_diagram) {
        (Some(given), Some(actual)) if given != actual => {
            Err(StoreError::Invalid { what: "project id of the generation, which is not the diagram's," })
        }
        (given, actual) => Ok(given.as_ref().or(actual).cloned()),
    }
}
