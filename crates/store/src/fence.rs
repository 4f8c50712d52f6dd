//! Work that must have an effect once, although its worker may be believed dead and be replaced. The change and its
//! mark are one transaction; a replaced worker cannot make the change any more.

use crate::JobId;

/// What must still hold for a change to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// A request with an idempotency key.
    Request {
        key_hash: String,
        /// Which attempt to carry it out.
        attempt: String,
    },
    /// A job; the change ends it.
    Job { id: JobId, worker: String },
}

/// Notes in the transaction of a change that it was made for this request. Nothing, if another attempt has taken over.
pub(crate) const MARK_REQUEST: &str = "\
    update idempotent_requests set subject = coalesce(subject, $3) where key_hash = $1 and attempt = $2";

/// Ends the hold `$2` on a job.
pub(crate) const END_JOB: &str = "\
    update jobs set status = $3, worker = null, updated_at = $4, result = $5 \
    where id = $1 and worker = $2 and status = 'running'";
