//! Whether any account exists, as far as this process knows.

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

use store::TimeUs;

/// Whether any account exists, as far as this process knows.
#[derive(Debug, Default)]
pub struct AccountPresence {
    /// Set once an account was seen; accounts are never deleted, so it stays true.
    present: OnceLock<()>,
    /// When the database was last found without accounts, in microseconds since 1970.
    absent_at: AtomicI64,
}

impl AccountPresence {
    pub(crate) fn is_known(&self) -> bool {
        self.present.get().is_some()
    }

    pub(crate) fn set_present(&self) {
        self.present.get_or_init(|| ());
    }

    pub(crate) fn set_absent(&self, now: TimeUs) {
        self.absent_at.store(now.as_micros(), Ordering::Relaxed);
    }

    /// False after the clock was set back, so that the database is queried again.
    pub(crate) fn was_absent_within(&self, period_us: i64, now: TimeUs) -> bool {
        (0..period_us).contains(&now.as_micros().saturating_sub(self.absent_at.load(Ordering::Relaxed)))
    }
}
