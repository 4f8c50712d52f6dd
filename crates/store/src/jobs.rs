//! Work that any process may take up: a queue in a table. Never does the work.
//!
//! Whoever takes a job holds it until `run_at` and says so again in time ([`Store::hold_job`]); after that another one takes
//! it. The worker's name is good for one hold, so that whoever was thought dead can neither go on nor end it.

use crate::audit::keep_audit;
use crate::pool::{Pool, in_transaction, on_pool};
use crate::row::row;
use crate::{JobId, NewAuditEvent, Page, PageRequest, ProjectId, Store, StoreError, TimeUs, UserId};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Write a diagram.
    Generate,
    /// Tell a webhook of an event.
    Deliver,
}

impl JobKind {
    /// The word in the database.
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
            .ok_or(StoreError::Invalid { what: "kind of job" })
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Nobody has taken it, or it is to be tried again.
    Waiting,
    /// Somebody holds it.
    Running,
    /// It is done.
    Done,
    /// It was given up.
    Failed,
}

impl JobStatus {
    /// The word in the database.
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
            .ok_or(StoreError::Invalid { what: "status of a job" })
    }
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: JobKind,
    /// In which project, if in one.
    pub project_id: Option<ProjectId>,
    /// Who wants it; none where nobody has to say who they are, and for what the program wants itself.
    pub created_by: Option<UserId>,
    /// What is needed to do it.
    pub payload: String,
    /// How far it is.
    pub status: JobStatus,
    /// How often it was taken up.
    pub attempts: u32,
    /// When it may be taken up; while it runs, when nobody holds it any more.
    pub run_at: TimeUs,
    /// Who holds it.
    pub worker: Option<String>,
    /// What came of it: the id of what was made, or why nothing was.
    pub result: Option<String>,
    /// When it was asked for.
    pub created_at: TimeUs,
    /// When something last changed.
    pub updated_at: TimeUs,
}

row!(Job { id, kind as String, project_id, created_by, payload, status as String, attempts as i64, run_at, worker, result, created_at, updated_at });

/// How many jobs are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobCounts {
    /// May be taken up now.
    pub waiting: u64,
    /// May be taken up after a pause.
    pub later: u64,
    /// Somebody holds them, or did.
    pub running: u64,
}

row!(JobCounts { waiting as i64, later as i64, running as i64 });

/// How a hold on a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done, with this result.
    Done(String),
    /// It is given up, for this reason.
    Failed(String),
    /// It is to be taken up again at this time; the reason is kept until then.
    Again(TimeUs, String),
}

macro_rules! job_columns {
    () => {
        "id, kind, project_id, created_by, payload, status, attempts, run_at, worker, result, created_at, updated_at"
    };
}

const INSERT_JOB: &str = concat!(
    "insert into jobs (",
    job_columns!(),
    ") values ($1, $2, $3, $4, $5, 'waiting', 0, $6, null, null, $6, $6) returning ",
    job_columns!()
);

/// Ends the hold `$2` on a job.
pub(crate) const END_JOB: &str = "\
    update jobs set status = $3, worker = null, updated_at = $4, result = $5 \
    where id = $1 and worker = $2 and status = 'running'";

/// The next job that may be taken up; `$2` is now, and of one person `$4` run at most, so that the others find a place. One that nobody has taken yet waits for nothing: its time may be that of a clock
/// that was ahead.
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
    /// Keeps a job that may be taken up at once.
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
        crate::generations::check_text("payload", payload)?;
        Ok(in_transaction!(&self.pool, tx => {
            let job: Job = sqlx::query_as(INSERT_JOB)
                .bind(id).bind(kind.as_str()).bind(project).bind(&audit.user_id).bind(payload).bind(audit.at)
                .fetch_one(&mut *tx).await
                .map_err(crate::error::or_missing("project"))?;
            keep_audit!(tx, audit);
            job
        }))
    }

    /// Takes up the job that has waited longest and holds it until `until`, under a name that is good for this hold alone;
    /// none if there is nothing to do, or only for people of whom `most_of_one` run already. Of several who ask at once, each gets another one.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn take_job(
        &self,
        worker: &str,
        now: TimeUs,
        until: TimeUs,
        most_of_one: u32,
    ) -> Result<Option<Job>, StoreError> {
        // SQLite has one writer at a time, and no words for passing over what others hold.
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

    /// Whether a job may be taken up.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn has_job(&self, now: TimeUs) -> Result<bool, StoreError> {
        Ok(on_pool!(&self.pool, db => {
            sqlx::query_scalar(
                "select exists (select 1 from jobs where status in ('waiting', 'running') \
                 and (run_at <= $1 or attempts = 0))",
            )
            .bind(now).fetch_one(db).await
        })?)
    }

    /// Goes on holding a job. False if it is not held under this name any more: stop working on it.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn hold_job(&self, id: &JobId, worker: &str, until: TimeUs) -> Result<bool, StoreError> {
        let held = in_transaction!(&self.pool, tx => {
            sqlx::query("update jobs set run_at = $3 where id = $1 and worker = $2 and status = 'running'")
                .bind(id).bind(worker).bind(until).execute(&mut *tx).await?.rows_affected()
        });
        Ok(held > 0)
    }

    /// Ends the hold on a job. False if it is not held under this name any more: then nothing was changed.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// One job.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_job(&self, id: &JobId) -> Result<Job, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", job_columns!(), " from jobs where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "job" })
    }

    /// The jobs of one kind in a project, last asked for first.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// How many jobs wait for somebody, for their time, or are under way.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Forgets jobs that ended before a moment, some at a time.
    ///
    /// # Errors
    /// Only those of the database.
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
