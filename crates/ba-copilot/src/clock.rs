//! Time and ids, the two things that a test must be able to choose.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use store::TimeUs;
use uuid::Uuid;

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// The clock of the machine.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn system() -> Self {
        Clock(Arc::new(SystemTime::now))
    }

    /// A clock that a test moves.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    /// Microseconds since 1970.
    pub fn now_us(&self) -> TimeUs {
        let since = (self.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimeUs::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// A new id that sorts by time.
    pub fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", Uuid::now_v7().simple())
    }
}
