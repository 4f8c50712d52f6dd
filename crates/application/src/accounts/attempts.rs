//! Attempts at what can be guessed: each is counted before it is looked at, and given back if it was right or was not looked at.
//! So no more than the limit are answered, however many arrive at once, in however many processes.

use store::{AttemptDecision, AttemptLimit, TimeUs};

use super::SECOND_US;
use crate::{Error, access::store, app::App};

/// The window in which failures are counted.
pub(super) const WINDOW_S: i64 = 15 * 60;
/// The failures allowed in the window for one e-mail address from unknown devices, or for one known device.
pub(super) const MAX_FAILURES: u32 = 10;

/// An attempt that is counted. Dropped, it stays counted as a failure.
#[must_use]
pub(crate) struct Reserved {
    buckets: Vec<String>,
    at: TimeUs,
}

/// Counts an attempt against all of these limits, or against none of them and says how many seconds until there may be one.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn reserve(
    app: &App,
    limits: Vec<AttemptLimit>,
    window_s: i64,
) -> Result<Result<Reserved, u64>, Error> {
    let at = app.clock.now_us();
    // A window is over when its last second is.
    let window_start = TimeUs::from_micros(at.plus_seconds(-window_s).as_micros().saturating_add(1));
    match store(app)?.reserve_attempts(&limits, at, window_start).await? {
        AttemptDecision::Reserved => {
            Ok(Ok(Reserved { buckets: limits.into_iter().map(|limit| limit.bucket).collect(), at }))
        }
        AttemptDecision::Full { since } => {
            let left_us = since.plus_seconds(window_s).as_micros().saturating_sub(at.as_micros());
            Ok(Err(u64::try_from(left_us).unwrap_or_default().div_ceil(SECOND_US.unsigned_abs()).max(1)))
        }
    }
}

impl Reserved {
    /// The attempt was right, or was not looked at.
    pub(crate) async fn give_back(self, app: &App) -> Result<(), Error> {
        let buckets: Vec<&str> = self.buckets.iter().map(String::as_str).collect();
        Ok(store(app)?.give_back_attempts(&buckets, self.at).await?)
    }

    /// The attempt was right, and earlier failures of this bucket do not matter any more.
    pub(crate) async fn clear(self, app: &App, bucket: &str) -> Result<(), Error> {
        store(app)?.clear_attempts(bucket).await?;
        let mut others = self;
        others.buckets.retain(|other| other != bucket);
        match others.buckets.is_empty() {
            true => Ok(()),
            false => others.give_back(app).await,
        }
    }
}

/// The error for a signed-in user who sent too many wrong passwords or codes.
pub(super) fn too_many_proofs(wait_s: u64) -> Error {
    Error::TooMany {
        message: format!(
            "There were too many wrong passwords or codes. Try again in {} minutes.",
            wait_s.div_ceil(60)
        ),
        wait_s,
    }
}
