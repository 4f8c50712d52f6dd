//! Background jobs: asynchronous generations and webhook deliveries.
//!
//! `worker.rs` takes jobs from the queue; this module executes one. A generation is stored at most once for a job,
//! even if workers crash or lose their lease: its transaction ends the job, on condition that the lease is still
//! held.

pub mod worker;

use std::collections::HashMap;

use crate::{
    Error,
    access::{Caller, authorize_project, authorize_resource, project_id, store},
    generate::{self, Request},
    page::{Listing, Page},
    webhooks,
};
use crate::{
    app::App,
    cpu_pool,
    job_outcome::{Outcome, follow_job},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    Fence, Generation, GenerationId, GenerationStatus, Job, JobEnd, JobId, JobKind, JobStatus, Role,
};
use telemetry::trace::{self, TraceContext};

/// Lease of a job, extended by heartbeats.
pub const LEASE_S: i64 = 30;
/// Attempts of a job whose workers crashed or had no database.
const MAX_ATTEMPTS: u32 = 5;
/// Finished jobs are listed this long.
const RETENTION_S: i64 = 7 * 24 * 3600;

/// Stored parameters of a request. A key sent with the request is never stored.
#[derive(Debug, Serialize, Deserialize)]
struct JobPayload {
    kind: String,
    message: String,
    project_id: String,
    content_id: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    fallback: bool,
    /// Trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// A generation job and its result.
#[derive(Debug, Clone)]
pub struct GenerationJob {
    pub job: Job,
    /// The stored generation of a finished job.
    pub generation: Option<Generation>,
}

impl GenerationJob {
    /// `waiting`, `running`, `done` or `failed`.
    pub fn status(&self) -> &'static str {
        match &self.generation {
            Some(generation) if generation.status == GenerationStatus::Failed => JobStatus::Failed.as_str(),
            _ => self.job.status.as_str(),
        }
    }

    /// Code and text of the last failure.
    pub fn problem(&self) -> Option<(String, String)> {
        if let Some(code) = self.generation.as_ref().and_then(|generation| generation.error_code.clone()) {
            return Some((
                code,
                "The diagram could not be generated. Try again, or allow the built-in draft with \
                \"fallback\": true."
                    .to_owned(),
            ));
        }
        match self.job.status {
            JobStatus::Done => None,
            _ => {
                let (code, why) = self.job.result.as_deref()?.split_once(": ")?;
                Some((code.to_owned(), why.to_owned()))
            }
        }
    }
}

/// Creates a job for an asynchronous generation.
pub async fn create_job(app: &App, caller: &Caller, request: &Request) -> Result<GenerationJob, Error> {
    if request.key.is_some() {
        return Err(Error::invalid(
            "X-AI-API-Key",
            "A provider key in a request is never stored, so a background job cannot use it. Store it under \
             /api/v1/me/provider-keys, or do not use a job.",
        ));
    }
    let (message, project) = generate::check_request(app, caller, request).await?;
    // Reports an unknown provider at once, not when the job runs.
    generate::choose_endpoint(app, caller, &project, request).await?;
    let store = store(app)?;
    let parameters = JobPayload {
        kind: request.kind.row().id.to_owned(),
        message,
        project_id: project.to_string(),
        content_id: request.content_id.clone(),
        provider: request.provider.clone(),
        model: request.model.clone(),
        fallback: request.fallback,
        trace: trace::exported().map(|trace| trace.traceparent()),
    };
    let payload = serde_json::to_string(&parameters).map_err(|error| Error::Internal(error.to_string()))?;
    let id = JobId::parse(app.clock.new_id("job"))?;
    let details = json!({"kind": parameters.kind});
    let event = caller.audit_event(app, "job.create", Some(&project), id.as_str(), &details)?;
    let job = store.create_job(&id, JobKind::Generate, Some(&project), &payload, &event).await?;
    app.events.wake_workers();
    Ok(GenerationJob { job, generation: None })
}

pub async fn find_job(app: &App, caller: &Caller, id: &str) -> Result<GenerationJob, Error> {
    let id = JobId::parse(id).map_err(|_| Error::NotFound("job"))?;
    let job = store(app)?.find_job(&id).await?;
    let project = job.project_id.clone().filter(|_| job.kind == JobKind::Generate);
    authorize_resource("job", app, caller, &project.ok_or(Error::NotFound("job"))?, Role::Viewer).await?;
    load_generation(app, job).await
}

/// The generation jobs of a project, newest first.
pub async fn list_jobs(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<GenerationJob>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    let page = store(app)?.list_jobs(&access.project.id, JobKind::Generate, &listing.request()?).await?;
    let mut made: HashMap<String, Generation> = store(app)?
        .list_generations_of_jobs(&page.items)
        .await?
        .into_iter()
        .map(|generation| (generation.id.to_string(), generation))
        .collect();
    let load_generation =
        |job: Job| GenerationJob { generation: result_of(&job).and_then(|id| made.remove(id)), job };
    let items = page.items.into_iter().map(load_generation).collect();
    Ok(Page { items, next: page.next.map(|cursor| cursor.to_string()) })
}

/// Id of the generation of a finished job.
fn result_of(job: &Job) -> Option<&str> {
    job.result.as_deref().filter(|_| job.status == JobStatus::Done)
}

async fn load_generation(app: &App, job: Job) -> Result<GenerationJob, Error> {
    let generation = match result_of(&job).map(GenerationId::parse) {
        Some(Ok(id)) => Some(store(app)?.find_generation(&id).await?),
        _ => None,
    };
    Ok(GenerationJob { job, generation })
}

/// Executes a leased job and ends it. Returns false if the lease was lost to another worker.
pub async fn run_job(app: &App, job: &Job, worker: &str) -> Result<bool, Error> {
    let worked = match job.kind {
        _ if job.attempts > MAX_ATTEMPTS && job.kind == JobKind::Generate => Ok(Outcome::Failed(
            "given_up: The workers of this job stopped several times before it was done. Create the job again."
                .to_owned(),
        )),
        JobKind::Generate => generate(app, job, worker).await,
        JobKind::Deliver => webhooks::deliver(app, job).await,
    };
    let outcome = worked.unwrap_or_else(|error| {
        let why = format!("{}: {error}", error.code());
        match error {
            Error::Unavailable(_) | Error::RateLimited { .. } | Error::Busy { .. }
                if job.attempts < MAX_ATTEMPTS =>
            {
                Outcome::Again { after_s: 2_i64.saturating_pow(job.attempts), why }
            }
            Error::Internal(inside) => {
                tracing::error!(
                    job.kind = job.kind.as_str(),
                    "A job failed with an internal error: {inside}"
                );
                Outcome::Failed(
                    "internal: The job failed with an internal error. Create the job again.".to_owned(),
                )
            }
            _ => Outcome::Failed(why),
        }
    });
    let now = app.clock.now_us();
    let end = match outcome {
        Outcome::Ended => return Ok(true),
        Outcome::Done(result) => JobEnd::Done(result),
        Outcome::Failed(why) => JobEnd::Failed(why),
        Outcome::Again { after_s, why } => JobEnd::Again(now.plus_seconds(after_s), why),
    };
    Ok(store(app)?.end_job(&job.id, worker, now, &end).await?)
}

async fn generate(app: &App, job: &Job, worker: &str) -> Result<Outcome, Error> {
    let parameters: JobPayload =
        serde_json::from_str(&job.payload).map_err(|_| Error::Internal("a job cannot be read".to_owned()))?;
    let kind = blueprint::KINDS
        .iter()
        .find(|row| row.id == parameters.kind)
        .ok_or_else(|| Error::Internal("a job asks for a kind that is not known".to_owned()))?;
    let caller = match &job.created_by {
        None => Caller::local(),
        Some(user) => {
            let person = store(app)?.find_user(user).await?;
            if person.disabled_at.is_some() {
                return Err(Error::Forbidden(
                    "The account of the requester is disabled. Ask an administrator of \
                    this server."
                        .to_owned(),
                ));
            }
            Caller::as_user(person)
        }
    };
    let caller = caller.with_fence(Fence::Job { id: job.id.clone(), worker: worker.to_owned() });
    let request = Request {
        kind: kind.kind,
        message: parameters.message,
        project_id: Some(parameters.project_id),
        content_id: parameters.content_id,
        provider: parameters.provider,
        model: parameters.model,
        key: None,
        fallback: parameters.fallback,
    };
    let asked = parameters.trace.as_deref().and_then(TraceContext::parse);
    let person = job.created_by.as_ref().map_or_else(Default::default, |user| user.as_str().into());
    let work = cpu_pool::on_behalf_of(person, generate::generate_diagram(app, &caller, request, None));
    match follow_job(asked, job, work).await {
        Ok(_) => Ok(Outcome::Ended),
        // The failed generation was stored, which ended the job.
        Err(error) => match store(app)?.find_job(&job.id).await?.status {
            JobStatus::Done => Ok(Outcome::Ended),
            _ => Err(error),
        },
    }
}

/// Returns a job to the queue at once, because this process is shutting down.
pub async fn release_job(app: &App, job: &Job, worker: &str) -> Result<(), Error> {
    let now = app.clock.now_us();
    let end =
        JobEnd::Again(now, "put_back: The server was shut down during the job. It is run again.".to_owned());
    store(app)?.end_job(&job.id, worker, now, &end).await?;
    Ok(())
}

/// Deletes expired jobs, deliveries and idempotency keys, a batch of each.
pub async fn delete_expired(app: &App) -> Result<(), Error> {
    let (store, now) = (store(app)?, app.clock.now_us());
    store.forget_ended_jobs(now.plus_seconds(-RETENTION_S)).await?;
    store.delete_old_deliveries(now.plus_seconds(-webhooks::DELIVERY_RETENTION_S)).await?;
    store.delete_expired_requests(now).await?;
    Ok(())
}
