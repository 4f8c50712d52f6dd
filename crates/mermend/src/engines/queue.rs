//! The texts that wait for a thread of the Mermaid engine: bounded in number and in bytes.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Condvar, Mutex, PoisonError, mpsc},
};

use super::verdict::{Failure, Outcome};
use crate::deadline::Deadline;

/// The most bytes that wait together. One text is queued whatever its size.
const MAX_BYTES: usize = 16 << 20;

/// One text, and where its outcome goes.
pub(super) struct Job {
    pub(super) text: String,
    pub(super) deadline: Deadline,
    pub(super) answer: mpsc::SyncSender<Outcome>,
}

/// First in, first out.
pub(super) struct Queue {
    entries: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

impl State {
    fn is_full(&self, job: &Job, entries: usize) -> bool {
        !self.jobs.is_empty() && (self.jobs.len() >= entries || self.bytes + job.text.len() > MAX_BYTES)
    }

    fn count_bytes(&mut self) {
        self.bytes = self.jobs.iter().map(|job| job.text.len()).sum();
    }
}

impl Queue {
    pub(super) fn new(entries: NonZeroUsize) -> Self {
        Queue { entries: entries.get(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds a job at the end.
    ///
    /// # Errors
    /// [`Failure::Busy`] when the queue is full.
    pub(super) fn push(&self, job: Job) -> Result<(), Failure> {
        // A thread that panics holds no lock, so the state is whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_full(&job, self.entries) {
            // Their callers wait no more, so they take no place.
            state.jobs.retain(|job| !job.deadline.exceeded());
            state.count_bytes();
        }
        if state.is_full(&job, self.entries) {
            return Err(Failure::Busy);
        }
        state.bytes += job.text.len();
        state.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job whose deadline is not exceeded; `None` when the queue was closed.
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(job) = state.jobs.pop_front() {
                state.bytes -= job.text.len();
                if !job.deadline.exceeded() {
                    return Some(job);
                }
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets every thread end once the jobs are done.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str, deadline: &Deadline) -> Job {
        Job { text: text.to_owned(), deadline: deadline.clone(), answer: mpsc::sync_channel(1).0 }
    }

    fn queue(entries: usize) -> Queue {
        Queue::new(NonZeroUsize::new(entries).unwrap())
    }

    #[test]
    fn a_full_queue_refuses() {
        let (queue, open) = (queue(2), Deadline::none());
        assert_eq!(queue.push(job("a", &open)), Ok(()));
        assert_eq!(queue.push(job("b", &open)), Ok(()));
        assert_eq!(queue.push(job("c", &open)), Err(Failure::Busy));
        assert_eq!(queue.next_job().map(|job| job.text).as_deref(), Some("a"));
        assert_eq!(queue.push(job("c", &open)), Ok(()));
    }

    #[test]
    fn bytes_are_bounded_too_but_one_text_always_fits() {
        let (queue, open) = (queue(9), Deadline::none());
        let large = "x".repeat(MAX_BYTES + 1);
        assert_eq!(queue.push(job(&large, &open)), Ok(()));
        assert_eq!(queue.push(job("a", &open)), Err(Failure::Busy));
        assert!(queue.next_job().is_some());
        assert_eq!(queue.push(job("a", &open)), Ok(()));
        assert_eq!(queue.push(job(&large, &open)), Err(Failure::Busy));
    }

    #[test]
    fn cancelled_and_expired_jobs_take_no_place_and_are_not_run() {
        let (queue, open, cancelled) = (queue(2), Deadline::none(), Deadline::none());
        assert_eq!(queue.push(job("cancelled", &cancelled)), Ok(()));
        assert_eq!(queue.push(job("a", &open)), Ok(()));
        cancelled.cancel();
        assert_eq!(queue.push(job("expired", &Deadline::after(std::time::Duration::ZERO))), Ok(()));
        queue.close();
        assert_eq!(queue.next_job().map(|job| job.text).as_deref(), Some("a"));
        assert!(queue.next_job().is_none());
    }
}
