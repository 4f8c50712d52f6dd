//! The result of working on a job, and the trace that the work belongs to.

use store::Job;
use telemetry::trace::{Span, TraceContext};
use tracing::Instrument;

use crate::Error;

/// The result of working on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The change itself has ended the job.
    Ended,
    /// Done, with a result.
    Done(String),
    /// Given up, with the reason.
    Failed(String),
    /// To be tried again.
    Again {
        /// After so many seconds.
        after_s: i64,
        /// The reason.
        why: String,
    },
}

/// Runs the work of a job as a trace of its own, linked to the trace of the request that created the job.
pub(crate) async fn follow_job<T>(
    asked: Option<TraceContext>,
    job: &Job,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut told = Span::follow(asked, || format!("job {}", job.kind.as_str()));
    told.set("job.kind", job.kind.as_str());
    told.set("job.id", job.id.to_string());
    told.set("job.attempts", i64::from(job.attempts));
    let trace = told.context().map(|trace| trace.id()).unwrap_or_default();
    let span = tracing::info_span!("job", job.id = %job.id, job.kind = job.kind.as_str(), trace.id = %trace);
    let result = told.around(work).instrument(span).await;
    if let Err(error) = &result {
        told.fail(error.code());
    }
    result
}
