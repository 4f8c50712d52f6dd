//! Background jobs that generate diagrams.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    extract::{ListQuery, Query},
    reply::PageReply,
};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::Caller,
    clock::rfc3339,
    jobs::{self, GenerationJob},
};

/// A background job that generates a diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobReply {
    /// Id of the job.
    id: String,
    /// Id of the project that the diagram belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    /// `waiting`, `running`, `done` or `failed`.
    #[schema(example = "done")]
    status: &'static str,
    /// Number of attempts.
    #[schema(example = 1)]
    attempts: u32,
    /// Id of the generation, once the job is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_id: Option<String>,
    /// Id of the diagram, once the job is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagram_id: Option<String>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<JobProblem>,
    /// What to know before you rely on the diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// When the job was created.
    created_at: String,
    /// When the job was last changed.
    updated_at: String,
}

/// Why a job failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobProblem {
    /// A stable identifier for programs.
    #[schema(example = "llm_timed_out")]
    code: String,
    /// What happened and what to do.
    detail: String,
}

impl From<GenerationJob> for JobReply {
    fn from(found: GenerationJob) -> Self {
        let problem = found.problem().map(|(code, detail)| JobProblem { code, detail });
        let status = found.status();
        let (generation, job) = (found.generation, found.job);
        JobReply {
            status,
            problem,
            id: job.id.to_string(),
            project_id: job.project_id.map(|id| id.to_string()),
            attempts: job.attempts,
            created_at: rfc3339(job.created_at),
            updated_at: rfc3339(job.updated_at),
            diagram_id: generation
                .as_ref()
                .and_then(|made| made.diagram_id.as_ref())
                .map(|id| id.to_string()),
            warning: generation.as_ref().and_then(|made| made.warning.clone()),
            generation_id: generation.map(|made| made.id.to_string()),
        }
    }
}

/// Get a job
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job}",
    tag = "generate",
    params(("job" = String, Path, description = "Id of the job")),
    responses((status = 200, description = "The job", body = JobReply), Problems),
)]
pub async fn find_job(
    State(state): State<AppState>,
    caller: Caller,
    Path(job): Path<String>,
) -> Result<Json<JobReply>, ProblemResponse> {
    Ok(Json(JobReply::from(jobs::find_job(&state.app, &caller, &job).await?)))
}

/// List the jobs of a project
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/jobs",
    tag = "generate",
    params(("project" = String, Path, description = "Id of the project"), ListQuery),
    responses(
        (status = 200, description = "A page of jobs, newest first", body = PageReply<JobReply>),
        Problems,
    ),
)]
pub async fn list_jobs(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<JobReply>>, ProblemResponse> {
    let page = jobs::list_jobs(&state.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::from_page(page, JobReply::from)))
}
