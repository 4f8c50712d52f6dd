//! Timestamps as the databases store them. Never reads a clock.

use crate::row::stored_as;

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// An integer and not a date type, because it is the one representation that both databases store, compare and return
/// without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeUs(i64);

stored_as!(TimeUs, i64);

impl TimeUs {
    /// From microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Adds seconds, or subtracts with a negative number.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}
