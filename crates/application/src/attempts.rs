//! Rate limit of sign-in attempts. An attempt is counted before it is verified and released if it was correct or not
//! verified, so that concurrent requests in any number of processes cannot exceed the limit.

use store::{AttemptDecision, AttemptLimit, TimeUs};

use crate::{Error, access::store, app::App};

const SECOND_US: u64 = 1_000_000;

pub(crate) const WINDOW_S: i64 = 15 * 60;
/// The failures allowed in the window for one e-mail address from unknown devices, or for one known device.
pub(crate) const MAX_FAILURES: u32 = 10;

/// A counted attempt. If dropped, it stays counted as a failure.
#[must_use]
pub(crate) struct Reserved {
    buckets: Vec<String>,
    at: TimeUs,
}

/// Counts an attempt against all of these limits, or against none; the inner error is the wait in seconds.
pub(crate) async fn reserve(
    app: &App,
    limits: Vec<AttemptLimit>,
    window_s: i64,
) -> Result<Result<Reserved, u64>, Error> {
    let at = app.clock.now_us();
    // The window is inclusive of its last second.
    let window_start = TimeUs::from_micros(at.plus_seconds(-window_s).as_micros().saturating_add(1));
    match store(app)?.reserve_attempts(&limits, at, window_start).await? {
        AttemptDecision::Reserved => {
            Ok(Ok(Reserved { buckets: limits.into_iter().map(|limit| limit.bucket).collect(), at }))
        }
        AttemptDecision::Full { since } => {
            let left_us = since.plus_seconds(window_s).as_micros().saturating_sub(at.as_micros());
            Ok(Err(u64::try_from(left_us).unwrap_or_default().div_ceil(SECOND_US).max(1)))
        }
    }
}

impl Reserved {
    /// Uncounts the attempt: it was correct, or was not verified.
    pub(crate) async fn release(self, app: &App) -> Result<(), Error> {
        let buckets: Vec<&str> = self.buckets.iter().map(String::as_str).collect();
        Ok(store(app)?.give_back_attempts(&buckets, self.at).await?)
    }

    /// The attempt was correct: uncounts it and deletes earlier failures of this bucket.
    pub(crate) async fn clear(self, app: &App, bucket: &str) -> Result<(), Error> {
        store(app)?.clear_attempts(bucket).await?;
        let mut others = self;
        others.buckets.retain(|other| other != bucket);
        match others.buckets.is_empty() {
            true => Ok(()),
            false => others.release(app).await,
        }
    }
}

pub(crate) fn too_many_proofs(wait_s: u64) -> Error {
    Error::RateLimited {
        message: format!(
            "There were too many wrong passwords or codes. Try again in {} minutes.",
            wait_s.div_ceil(60)
        ),
        wait_s,
    }
}
