//! How often is too often: the generic cell rate algorithm, as arithmetic and as the memory of this process.
//!
//! `shared_memory.rs` does the same in Redis, for several processes. Nothing here waits or knows who is counted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A minute, in microseconds.
const MINUTE_US: u64 = 60_000_000;
/// Who has not called for a while need not be remembered; looked at when there are so many.
const SWEEP_THRESHOLD: usize = 10_000;

/// So much a minute, all of it at once if need be; then it comes back evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What one costs, in microseconds.
    pub(crate) interval_us: u64,
    /// How far ahead of the time somebody may be, in microseconds.
    pub(crate) most_us: u64,
}

impl Quota {
    /// So many a minute; 0 counts as 1.
    pub fn per_minute(number: u32) -> Self {
        let number = u64::from(number.max(1));
        let interval_us = (MINUTE_US / number).max(1);
        Quota { interval_us, most_us: interval_us * number }
    }

    /// What is due after one more, or how long until that is allowed, both in microseconds.
    fn charge(self, due_us: u64, now_us: u64) -> Result<u64, u64> {
        let next = due_us.max(now_us) + self.interval_us;
        match next.saturating_sub(now_us + self.most_us) {
            0 => Ok(next),
            wait => Err(wait),
        }
    }
}

/// Something that is counted, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its name; no secret and no address, for it goes to Redis.
    pub name: String,
    /// How much is allowed.
    pub quota: Quota,
}

/// What was counted in this process.
pub struct Counters {
    begun: Instant,
    /// When what was used is paid for, in microseconds since `begun`.
    due_us: Mutex<HashMap<String, u64>>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { begun: Instant::now(), due_us: Mutex::default() }
    }
}

impl Counters {
    /// Counts one against all of these, or against none of them and says how long until it may be.
    pub fn count(&self, counted: &[Counted]) -> Result<(), Duration> {
        self.count_at(counted, u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX / 2))
    }

    fn count_at(&self, counted: &[Counted], now_us: u64) -> Result<(), Duration> {
        let mut known = self.due_us.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > SWEEP_THRESHOLD {
            known.retain(|_, due_us| *due_us > now_us);
        }
        let after = |Counted { name, quota }: &Counted| {
            quota.charge(known.get(name).copied().unwrap_or_default(), now_us)
        };
        let answers: Vec<Result<u64, u64>> = counted.iter().map(after).collect();
        if let Some(wait_us) = answers.iter().filter_map(|answer| answer.err()).max() {
            return Err(Duration::from_micros(wait_us));
        }
        for (one, next) in counted.iter().zip(answers.into_iter().flatten()) {
            known.insert(one.name.clone(), next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(name: &str, number: u32) -> Counted {
        Counted { name: name.to_owned(), quota: Quota::per_minute(number) }
    }

    #[test]
    fn a_quota_may_be_used_at_once_and_comes_back_evenly() {
        let (counters, one) = (Counters::default(), [counted("a", 3)]);
        let allowed = |second: u64| counters.count_at(&one, second * 1_000_000);
        for _ in 0..3 {
            assert_eq!(allowed(100), Ok(()));
        }
        assert_eq!(allowed(100), Err(Duration::from_secs(20)));
        assert_eq!(allowed(119), Err(Duration::from_secs(1)));
        assert_eq!(allowed(120), Ok(()));
        assert_eq!(allowed(120), Err(Duration::from_secs(20)), "only one came back");
        for _ in 0..3 {
            assert_eq!(allowed(400), Ok(()));
        }
        assert!(allowed(400).is_err(), "no more than a full quota is saved up");
    }

    #[test]
    fn what_one_quota_refuses_counts_against_no_other() {
        let counters = Counters::default();
        let (small, large) = (counted("small", 1), counted("large", 2));
        assert_eq!(counters.count_at(&[small.clone(), large.clone()], 0), Ok(()));
        for _ in 0..5 {
            assert_eq!(counters.count_at(&[small.clone(), large.clone()], 0), Err(Duration::from_secs(60)));
        }
        assert_eq!(counters.count_at(std::slice::from_ref(&large), 0), Ok(()));
        assert_eq!(counters.count_at(&[large], 0), Err(Duration::from_secs(30)));
    }

    #[test]
    fn any_number_is_a_quota() {
        for number in [0, 1, 7, 1200, 60_000_000, u32::MAX] {
            let quota = Quota::per_minute(number);
            assert!(quota.interval_us > 0 && quota.most_us >= quota.interval_us, "{number}: {quota:?}");
        }
    }

    #[test]
    fn who_does_not_call_any_more_is_forgotten() {
        let counters = Counters::default();
        for number in 0..=SWEEP_THRESHOLD {
            assert_eq!(counters.count_at(&[counted(&number.to_string(), 60)], 0), Ok(()));
        }
        assert_eq!(counters.count_at(&[counted("late", 60)], 10 * MINUTE_US), Ok(()));
        assert_eq!(counters.due_us.lock().unwrap().len(), 1);
    }
}
