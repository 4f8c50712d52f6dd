//! A job queue in a table, shared by all processes. Does not execute jobs.
//!
//! A worker leases a job until `run_at` and renews the lease ([`Store::renew_job_lease`]); an expired lease is taken
//! over. A worker name is unique per lease, so that a replaced worker can neither continue nor end the job.

use crate::audit::record_audit;
use crate::fence::END_JOB;
use crate::pool::{Pool, in_transaction, on_pool};
use crate::row::row;
use crate::{
    Field, JobId, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Store, StoreError, TimeUs, UserId,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    Generate,
    /// Deliver an event to a webhook.
    Deliver,
}

impl JobKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Deliver => "deliver",
        }
    }
}

impl TryFrom<String> for JobKind {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        [Self::Generate, Self::Deliver]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(StoreError::Invalid { what: Field::JobKind })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Not started, or to be retried.
    Waiting,
    /// A worker holds its lease.
    Running,
    Done,
    /// No further attempt.
    Failed,
}

impl JobStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl TryFrom<String> for JobStatus {
    type Error = StoreError;

    fn try_from(word: String) -> Result<Self, StoreError> {
        [Self::Waiting, Self::Running, Self::Done, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(StoreError::Invalid { what: Field::JobStatus })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub project_id: Option<ProjectId>,
    /// `None` in local mode, and for jobs of the program itself.
    pub created_by: Option<UserId>,
    /// The input of the job.
    pub payload: String,
    pub status: JobStatus,
    pub attempts: u32,
    /// When it may start; while it runs, when its lease expires.
    pub run_at: TimeUs,
    pub worker: Option<String>,
    /// The id of the result, or the reason of the failure.
    pub result: Option<String>,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(Job, job_columns {
    id, kind as String, project_id, created_by, payload, status as String, attempts as i64, run_at,
    worker, result, created_at, updated_at,
});

/// Unfinished jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCounts {
    /// May start now.
    pub waiting: u64,
    /// May start after a pause.
    pub later: u64,
    /// Leased, expired leases included.
    pub running: u64,
}

row!(JobCounts { waiting as i64, later as i64, running as i64 });

/// How a lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// With this result.
    Done(String),
    /// For this reason.
    Failed(String),
    /// Retry at this time; the reason is stored until then.
    Again(TimeUs, String),
}

const INSERT_JOB: &str = concat!(
    "insert into jobs (",
    job_columns!(),
    ") values ($1, $2, $3, $4, $5, 'waiting', 0, $6, null, null, $6, $6) returning ",
    job_columns!()
);

/// The next job to start. `$2` is now; at most `$4` jobs of one user run at once, so that others get a worker. A job
/// without an earlier attempt ignores `run_at`, which may be from a clock that was ahead.
macro_rules! next_job {
    ($lock:literal) => {
        concat!(
            "update jobs set status = 'running', attempts = attempts + 1, worker = $1, run_at = $3, updated_at = $2 \
             where id = (select id from jobs where status in ('waiting', 'running') \
             and (run_at <= $2 or attempts = 0) and (created_by is null or (select count(*) from jobs other \
             where other.created_by = jobs.created_by and other.status = 'running' and other.run_at > $2) < $4) \
             order by run_at, id limit 1 ",
            $lock,
            ") returning ",
            job_columns!()
        )
    };
}

impl Store {
    /// Enqueues a job that may start at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project.
    pub async fn create_job(
        &self,
        id: &JobId,
        kind: JobKind,
        project: Option<&ProjectId>,
        payload: &str,
        audit: &NewAuditEvent,
    ) -> Result<Job, StoreError> {
        crate::text::check_text(Field::Payload, payload)?;
        Ok(in_transaction!(&self.pool, tx => {
            let job: Job = sqlx::query_as(INSERT_JOB)
                .bind(id).bind(kind.as_str()).bind(project).bind(&audit.user_id).bind(payload).bind(audit.at)
                .fetch_one(&mut *tx).await
                .map_err(crate::error::or_missing(Resource::Project))?;
            record_audit!(tx, audit);
            job
        }))
    }

    /// Leases the oldest ready job until `until`, under a worker name that is unique to this lease. `None` if no job
    /// is ready, or only jobs of users with `most_of_one` running ones. Concurrent callers get different jobs.
    pub async fn take_job(
        &self,
        worker: &str,
        now: TimeUs,
        until: TimeUs,
        most_of_one: u32,
    ) -> Result<Option<Job>, StoreError> {
        // SQLite has one writer at a time, and no `skip locked`.
        Ok(match &self.pool {
            Pool::Sqlite { writer, .. } => {
                sqlx::query_as(next_job!(""))
                    .bind(worker)
                    .bind(now)
                    .bind(until)
                    .bind(i64::from(most_of_one))
                    .fetch_optional(writer)
                    .await?
            }
            Pool::Postgres(db) => {
                sqlx::query_as(next_job!("for update skip locked"))
                    .bind(worker)
                    .bind(now)
                    .bind(until)
                    .bind(i64::from(most_of_one))
                    .fetch_optional(db)
                    .await?
            }
        })
    }

    pub async fn has_job(&self, now: TimeUs) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar(
                "select exists (select 1 from jobs where status in ('waiting', 'running') \
                 and (run_at <= $1 or attempts = 0))",
            )
            .bind(now).fetch_one(db).await
        })?)
    }

    /// Renews a lease. False if the worker no longer holds it: stop working.
    pub async fn renew_job_lease(&self, id: &JobId, worker: &str, until: TimeUs) -> Result<bool, StoreError> {
        let held = in_transaction!(&self.pool, tx => {
            sqlx::query("update jobs set run_at = $3 where id = $1 and worker = $2 and status = 'running'")
                .bind(id).bind(worker).bind(until).execute(&mut *tx).await?.rows_affected()
        });
        Ok(held > 0)
    }

    /// Ends a lease. False if the worker no longer holds it; nothing was changed then.
    pub async fn end_job(
        &self,
        id: &JobId,
        worker: &str,
        now: TimeUs,
        end: &JobEnd,
    ) -> Result<bool, StoreError> {
        let ended = in_transaction!(&self.pool, tx => {
            let done = match end {
                JobEnd::Done(result) => sqlx::query(END_JOB)
                    .bind(id).bind(worker).bind("done").bind(now).bind(result).execute(&mut *tx).await?,
                JobEnd::Failed(why) => sqlx::query(END_JOB)
                    .bind(id).bind(worker).bind("failed").bind(now).bind(why).execute(&mut *tx).await?,
                JobEnd::Again(at, why) => sqlx::query(
                    "update jobs set status = 'waiting', worker = null, updated_at = $4, result = $5, run_at = $3 \
                     where id = $1 and worker = $2 and status = 'running'",
                )
                .bind(id).bind(worker).bind(*at).bind(now).bind(why).execute(&mut *tx).await?,
            };
            done.rows_affected()
        });
        Ok(ended > 0)
    }

    pub async fn find_job(&self, id: &JobId) -> Result<Job, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", job_columns!(), " from jobs where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Job })
    }

    /// The jobs of one kind in a project, newest first.
    pub async fn list_jobs(
        &self,
        project: &ProjectId,
        kind: JobKind,
        page: &PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Job> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", job_columns!(), " from jobs where project_id = $1 and kind = $2 \
                 and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5"
            ))
            .bind(project).bind(kind.as_str()).bind(at).bind(id).bind(page.rows_to_fetch())
            .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Counts unfinished jobs.
    pub async fn count_jobs(&self, now: TimeUs) -> Result<JobCounts, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select count(case when status = 'waiting' and (run_at <= $1 or attempts = 0) then 1 end) as waiting, \
                 count(case when status = 'waiting' and run_at > $1 and attempts > 0 then 1 end) as later, \
                 count(case when status = 'running' then 1 end) as running \
                 from jobs where status in ('waiting', 'running')",
            )
            .bind(now).fetch_one(db).await
        })?)
    }

    /// Deletes a batch of jobs that ended before a time.
    pub async fn forget_ended_jobs(&self, before: TimeUs) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            sqlx::query(
                "delete from jobs where id in (select id from jobs where status in ('done', 'failed') \
                 and updated_at < $1 order by updated_at limit 1000)",
            )
            .bind(before).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
