//! Diagrams that nobody waits for: how far they are.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ListQuery, PageReply, Query};
use crate::{
    Shared,
    http::error::{Pending, Problems},
};
use application::{
    access::Caller,
    clock::rfc3339,
    jobs::{self, GenerationJob},
};

/// A diagram that is being written, or was.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobReply {
    /// Its id.
    id: String,
    /// The project that the diagram belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    /// `waiting`, `running`, `done` or `failed`.
    #[schema(example = "done")]
    status: &'static str,
    /// How often it was begun.
    #[schema(example = 1)]
    attempts: u32,
    /// What was remembered of it, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_id: Option<String>,
    /// The diagram, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagram_id: Option<String>,
    /// Why it failed, or is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<JobProblem>,
    /// What a reader must know before relying on the diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// When it was asked for.
    created_at: String,
    /// When something last changed.
    updated_at: String,
}

/// Why there is no diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobProblem {
    /// A stable name for programs.
    #[schema(example = "llm_timed_out")]
    code: String,
    /// What happened and what to do.
    detail: String,
}

impl JobReply {
    /// How a job is told.
    pub fn of(found: GenerationJob) -> Self {
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

/// How far a diagram is that nobody waits for
#[utoipa::path(get, path = "/api/v1/jobs/{job}", operation_id = "find_job", tag = "generate", params(("job" = String, Path, description = "Its id")), responses((status = 200, description = "How far it is", body = JobReply), Problems))]
pub async fn find_job(
    State(shared): State<Shared>,
    caller: Caller,
    Path(job): Path<String>,
) -> Result<Json<JobReply>, Pending> {
    Ok(Json(JobReply::of(jobs::find_job(&shared.app, &caller, &job).await?)))
}

/// The diagrams of a project that nobody waited for
#[utoipa::path(get, path = "/api/v1/projects/{project}/jobs", operation_id = "list_jobs", tag = "generate", params(("project" = String, Path, description = "Its id"), ListQuery), responses((status = 200, description = "A page of them, last asked for first", body = PageReply<JobReply>), Problems))]
pub async fn list_jobs(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageReply<JobReply>>, Pending> {
    let page = jobs::list_jobs(&shared.app, &caller, &project, &query.into()).await?;
    Ok(Json(PageReply::of(page, JobReply::of)))
}
