//! Result of executing a job, and its trace.

use store::Job;
use telemetry::trace::{Span, TraceContext};
use tracing::Instrument;

use crate::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The transaction of the change has ended the job.
    Ended,
    Done(String),
    Failed(String),
    /// Retry later.
    Again {
        after_s: i64,
        why: String,
    },
}

/// Runs a job in a trace of its own, linked to the trace of the request that created it.
pub(crate) async fn follow_job<T>(
    asked: Option<TraceContext>,
    job: &Job,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut span = Span::linked(asked, || format!("job {}", job.kind.as_str()));
    span.set_attribute("job.kind", job.kind.as_str());
    span.set_attribute("job.id", job.id.to_string());
    span.set_attribute("job.attempts", i64::from(job.attempts));
    let trace = span.context().map(|trace| trace.trace_id()).unwrap_or_default();
    let log_span =
        tracing::info_span!("job", job.id = %job.id, job.kind = job.kind.as_str(), trace.id = %trace);
    let result = span.in_scope(work).instrument(log_span).await;
    if let Err(error) = &result {
        span.set_error(error.code());
    }
    result
}
