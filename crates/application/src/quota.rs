//! Rate limiting by the generic cell rate algorithm, in memory.
//!
//! `shared_memory.rs` implements the same in Redis, for several processes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MINUTE_US: u64 = 60_000_000;
/// Entries above which idle ones are removed.
const SWEEP_THRESHOLD: usize = 10_000;

/// A rate per minute that also is the burst size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Cost of one request, in microseconds.
    pub(crate) interval_us: u64,
    /// Burst size, in microseconds.
    pub(crate) most_us: u64,
}

impl Quota {
    /// 0 counts as 1.
    pub fn per_minute(number: u32) -> Self {
        let number = u64::from(number.max(1));
        let interval_us = (MINUTE_US / number).max(1);
        Quota { interval_us, most_us: interval_us * number }
    }

    /// The due time after one more request, or the wait until it is allowed, in microseconds.
    fn charge(self, due_us: u64, now_us: u64) -> Result<u64, u64> {
        let next = due_us.max(now_us) + self.interval_us;
        match next.saturating_sub(now_us + self.most_us) {
            0 => Ok(next),
            wait => Err(wait),
        }
    }
}

/// A rate limit of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Key of the client. It is sent to Redis, so it must not contain a secret or an address.
    pub name: String,
    pub quota: Quota,
}

/// Rate limits in the memory of this process.
pub struct Counters {
    begun: Instant,
    /// Due times in microseconds since `begun`.
    due_us: Mutex<HashMap<String, u64>>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { begun: Instant::now(), due_us: Mutex::default() }
    }
}

impl Counters {
    /// Counts a request against all of these limits, or against none; the error is the wait until it is allowed.
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
    fn quota_allows_a_burst_and_recovers_evenly() {
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
    fn refused_request_counts_against_no_quota() {
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
    fn any_rate_is_valid() {
        for number in [0, 1, 7, 1200, 60_000_000, u32::MAX] {
            let quota = Quota::per_minute(number);
            assert!(quota.interval_us > 0 && quota.most_us >= quota.interval_us, "{number}: {quota:?}");
        }
    }

    #[test]
    fn idle_clients_are_removed() {
        let counters = Counters::default();
        for number in 0..=SWEEP_THRESHOLD {
            assert_eq!(counters.count_at(&[counted(&number.to_string(), 60)], 0), Ok(()));
        }
        assert_eq!(counters.count_at(&[counted("late", 60)], 10 * MINUTE_US), Ok(()));
        assert_eq!(counters.due_us.lock().unwrap().len(), 1);
    }
}
