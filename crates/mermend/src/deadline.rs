//! Deadlines: when work on one text must end, by time or because its caller cancelled it.
//!
//! One deadline goes through everything that is done for one request: waiting for the Mermaid engine, both parsers,
//! rules, repairs, comparisons, patches and layout. Work records its steps
//! ([`Deadline::spend`]), which tests of growth count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use merman::OperationControl;

/// Steps between two looks at the clock: about 0.1 ms of scanning.
const STEPS_BETWEEN_LOOKS: u64 = 1 << 16;

/// The time ran out, or the caller cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineExceeded;

impl std::fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time limit was reached")
    }
}

impl std::error::Error for DeadlineExceeded {}

/// When work must end. A clone is the same deadline.
#[derive(Debug, Clone)]
pub struct Deadline {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    at: Option<Instant>,
    steps: AtomicU64,
    /// What the parser and the layout of merman look at; it also holds whether the work was cancelled.
    control: OperationControl,
}

impl Deadline {
    /// No time limit; it can be cancelled.
    pub fn none() -> Self {
        Deadline {
            shared: Arc::new(Shared { at: None, steps: AtomicU64::new(0), control: OperationControl::new() }),
        }
    }

    /// Ends `time` from now.
    pub fn after(time: Duration) -> Self {
        let control = OperationControl::new().with_deadline(time);
        let at = Instant::now().checked_add(time);
        Deadline { shared: Arc::new(Shared { at, steps: AtomicU64::new(0), control }) }
    }

    /// Ends it now, for every clone.
    pub fn cancel(&self) {
        self.shared.control.cancel();
    }

    /// Whether the time ran out or the work was cancelled.
    pub fn exceeded(&self) -> bool {
        self.shared.control.is_cancelled() || self.shared.at.is_some_and(|at| Instant::now() >= at)
    }

    /// The time that is left; `None` if there is no limit.
    pub fn remaining(&self) -> Option<Duration> {
        self.shared.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Records `steps` of work (bytes scanned, items looked at), and looks at the clock now and then.
    ///
    /// # Errors
    /// When the work must end.
    pub fn spend(&self, steps: usize) -> Result<(), DeadlineExceeded> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX).max(1);
        let before = self.shared.steps.fetch_add(steps, Ordering::Relaxed);
        let after = before.saturating_add(steps);
        let look = before / STEPS_BETWEEN_LOOKS != after / STEPS_BETWEEN_LOOKS;
        match look && self.exceeded() {
            true => Err(DeadlineExceeded),
            false => Ok(()),
        }
    }

    /// Records work that is over at once and too short to be ended.
    pub(crate) fn record(&self, steps: usize) {
        self.shared.steps.fetch_add(u64::try_from(steps).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The steps recorded so far.
    pub fn steps(&self) -> u64 {
        self.shared.steps.load(Ordering::Relaxed)
    }

    /// The same deadline for merman.
    pub(crate) fn control(&self) -> OperationControl {
        self.shared.control.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_deadline_ends_every_clone() {
        let deadline = Deadline::none();
        let clone = deadline.clone();
        assert!(!clone.exceeded());
        deadline.cancel();
        assert!(clone.exceeded());
        assert_eq!(clone.spend(1 << 17), Err(DeadlineExceeded));
        assert!(deadline.control().checkpoint().is_err());
    }

    #[test]
    fn a_deadline_that_has_passed_is_exceeded() {
        let deadline = Deadline::after(Duration::ZERO);
        assert_eq!((deadline.exceeded(), deadline.remaining()), (true, Some(Duration::ZERO)));
        assert!(deadline.control().checkpoint().is_err());
    }

    #[test]
    fn steps_add_up() {
        let deadline = Deadline::none();
        for steps in [1, 2, 0] {
            assert_eq!(deadline.spend(steps), Ok(()));
        }
        assert_eq!(deadline.clone().steps(), 4, "an empty step counts as one");
    }
}
