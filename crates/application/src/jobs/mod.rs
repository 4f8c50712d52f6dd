//! Work that goes on after the answer: diagrams that nobody waits for, and webhooks that are told.
//!
//! `jobs.rs` at the top takes jobs up one after another; here is what is done with one. A diagram is written at most once for
//! a job, whoever is killed or thought dead meanwhile: its transaction ends the job, and only while the job is still held.

pub mod outcome;
pub mod worker;

use std::collections::HashMap;

use crate::{
    Error,
    access::{Caller, enter, enter_for, project_id, store},
    generate::{self, Request},
    page::{Listing, Page},
    webhooks,
};
use crate::{app::App, cpu_pool};
use outcome::{Outcome, follow_job};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    Fence, Generation, GenerationId, GenerationStatus, Job, JobEnd, JobId, JobKind, JobStatus, Role,
};
use telemetry::trace::{self, TraceContext};

/// How long a job that nobody speaks of any more is held.
pub const LEASE_S: i64 = 30;
/// So often a job is taken up whose workers died or had no database.
const MAX_ATTEMPTS: u32 = 5;
/// How long jobs that ended are shown.
const KEPT_S: i64 = 7 * 24 * 3600;

/// What is kept of a request until it is carried out. A key that was sent with the request never is.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    kind: String,
    message: String,
    project_id: String,
    content_id: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    fallback: bool,
    /// The trace of the request, where traces are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// A job of writing a diagram, and what came of it.
#[derive(Debug, Clone)]
pub struct Generating {
    /// The job.
    pub job: Job,
    /// What was remembered of it, once it is done.
    pub generation: Option<Generation>,
}

impl Generating {
    /// How far it is, in a word: `waiting`, `running`, `done` or `failed`.
    pub fn status(&self) -> &'static str {
        match &self.generation {
            Some(generation) if generation.status == GenerationStatus::Failed => JobStatus::Failed.as_str(),
            _ => self.job.status.as_str(),
        }
    }

    /// Why it failed or is tried again, as a code and a sentence.
    pub fn problem(&self) -> Option<(String, String)> {
        if let Some(code) = self.generation.as_ref().and_then(|generation| generation.error_code.clone()) {
            return Some((code, "The diagram could not be written. Ask again, or allow the built-in draft with \"fallback\": true.".to_owned()));
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

/// Takes a request for a diagram that nobody waits for.
///
/// # Errors
/// When it cannot be used, or brings a key of its own, which is never kept.
pub async fn create_job(app: &App, caller: &Caller, request: &Request) -> Result<Generating, Error> {
    if request.key.is_some() {
        return Err(Error::invalid(
            "X-AI-API-Key",
            "A key that comes with a request is never kept, so nobody could use it later. Keep it under /api/v1/me/provider-keys, or wait for the answer.",
        ));
    }
    let (message, project) = generate::check_request(app, caller, request).await?;
    // A provider that is not there is said now and not later.
    generate::choose_endpoint(app, caller, &project, request).await?;
    let store = store(app)?;
    let kept = Kept {
        kind: request.kind.row().id.to_owned(),
        message,
        project_id: project.to_string(),
        content_id: request.content_id.clone(),
        provider: request.provider.clone(),
        model: request.model.clone(),
        fallback: request.fallback,
        trace: trace::told().map(|trace| trace.header()),
    };
    let payload = serde_json::to_string(&kept).map_err(|error| Error::Internal(error.to_string()))?;
    let id = JobId::parse(app.clock.new_id("job"))?;
    let details = json!({"kind": kept.kind});
    let event = caller.did(app, "job.create", Some(&project), id.as_str(), &details)?;
    let job = store.create_job(&id, JobKind::Generate, Some(&project), &payload, &event).await?;
    app.events.wake_workers();
    Ok(Generating { job, generation: None })
}

/// A job of writing a diagram.
///
/// # Errors
/// When there is none, or the caller may not see its project.
pub async fn find_job(app: &App, caller: &Caller, id: &str) -> Result<Generating, Error> {
    let id = JobId::parse(id).map_err(|_| Error::NotFound("job"))?;
    let job = store(app)?.find_job(&id).await?;
    let project = job.project_id.clone().filter(|_| job.kind == JobKind::Generate);
    enter_for("job", app, caller, &project.ok_or(Error::NotFound("job"))?, Role::Viewer).await?;
    look_up(app, job).await
}

/// The jobs of a project that write diagrams, last asked for first.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_jobs(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Generating>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    let page = store(app)?.list_jobs(&entered.project.id, JobKind::Generate, &listing.request()?).await?;
    let mut made: HashMap<String, Generation> = store(app)?
        .list_generations_of_jobs(&page.items)
        .await?
        .into_iter()
        .map(|generation| (generation.id.to_string(), generation))
        .collect();
    let look_up = |job: Job| Generating { generation: result_of(&job).and_then(|id| made.remove(id)), job };
    let items = page.items.into_iter().map(look_up).collect();
    Ok(Page { items, next: page.next.map(|cursor| cursor.to_string()) })
}

/// The id of the generation that a job has made, if it is done.
fn result_of(job: &Job) -> Option<&str> {
    job.result.as_deref().filter(|_| job.status == JobStatus::Done)
}

async fn look_up(app: &App, job: Job) -> Result<Generating, Error> {
    let generation = match result_of(&job).map(GenerationId::parse) {
        Some(Ok(id)) => Some(store(app)?.find_generation(&id).await?),
        _ => None,
    };
    Ok(Generating { job, generation })
}

/// Works on a job that is held under a name, and ends it. False if it was not held to the end: another one has it.
pub async fn carry_out(app: &App, job: &Job, worker: &str) -> Result<bool, Error> {
    let worked = match job.kind {
        _ if job.attempts > MAX_ATTEMPTS && job.kind == JobKind::Generate => Ok(Outcome::Failed(
            "given_up: Whoever worked on it ended in the middle, again and again. Ask for it anew."
                .to_owned(),
        )),
        JobKind::Generate => generate(app, job, worker).await,
        JobKind::Deliver => webhooks::deliver(app, job).await,
    };
    let outcome = worked.unwrap_or_else(|error| {
        let why = format!("{}: {error}", error.code());
        match error {
            Error::Unavailable(_) | Error::TooMany { .. } | Error::Busy { .. }
                if job.attempts < MAX_ATTEMPTS =>
            {
                Outcome::Again { after_s: 2_i64.saturating_pow(job.attempts), why }
            }
            Error::Internal(inside) => {
                tracing::error!(job.kind = job.kind.as_str(), "A job failed inside: {inside}");
                Outcome::Failed("internal: Something went wrong here. Ask for it anew.".to_owned())
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
    let kept: Kept =
        serde_json::from_str(&job.payload).map_err(|_| Error::Internal("a job cannot be read".to_owned()))?;
    let kind = blueprint::KINDS
        .iter()
        .find(|row| row.id == kept.kind)
        .ok_or_else(|| Error::Internal("a job asks for a kind that is not known".to_owned()))?;
    let caller = match &job.created_by {
        None => Caller::local(),
        Some(user) => {
            let person = store(app)?.find_user(user).await?;
            if person.disabled_at.is_some() {
                return Err(Error::Forbidden("Whoever asked for it may not come in any more.".to_owned()));
            }
            Caller::in_the_name_of(person)
        }
    };
    let caller = caller.fenced(Fence::Job { id: job.id.clone(), worker: worker.to_owned() });
    let request = Request {
        kind: kind.kind,
        message: kept.message,
        project_id: Some(kept.project_id),
        content_id: kept.content_id,
        provider: kept.provider,
        model: kept.model,
        key: None,
        fallback: kept.fallback,
    };
    let asked = kept.trace.as_deref().and_then(TraceContext::parse);
    let person = job.created_by.as_ref().map_or_else(Default::default, |user| user.as_str().into());
    let work = cpu_pool::on_behalf_of(person, generate::generate_diagram(app, &caller, request, None));
    match follow_job(asked, job, work).await {
        Ok(_) => Ok(Outcome::Ended),
        // What failed with its model is remembered, which has ended the job.
        Err(error) => match store(app)?.find_job(&job.id).await?.status {
            JobStatus::Done => Ok(Outcome::Ended),
            _ => Err(error),
        },
    }
}

/// Puts a job back, for others to take up at once: this process is ending.
///
/// # Errors
/// When the database does not answer.
pub async fn put_back(app: &App, job: &Job, worker: &str) -> Result<(), Error> {
    let now = app.clock.now_us();
    let end = JobEnd::Again(now, "put_back: The server that worked on it was ended.".to_owned());
    store(app)?.end_job(&job.id, worker, now, &end).await?;
    Ok(())
}

/// Forgets what nobody asks for any more, some of it at a time.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<(), Error> {
    let (store, now) = (store(app)?, app.clock.now_us());
    store.forget_ended_jobs(now.plus_seconds(-KEPT_S)).await?;
    store.delete_old_deliveries(now.plus_seconds(-webhooks::KEPT_S)).await?;
    store.delete_expired_requests(now).await?;
    Ok(())
}
