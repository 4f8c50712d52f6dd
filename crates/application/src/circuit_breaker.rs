//! Circuit breaker for a remote service: while the service fails, calls are refused at once instead of waiting.
//!
//! The owner records the result of each call, and after a failure that opens the circuit starts a task that probes
//! the service ([`retry_with_backoff`]).

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::Url;

pub(crate) struct CircuitBreaker<E> {
    /// Consecutive failures that open the circuit.
    most: u32,
    state: Mutex<State<E>>,
}

struct State<E> {
    failures: u32,
    closed: Option<E>,
}

impl<E: Clone> CircuitBreaker<E> {
    pub(crate) fn new(most: u32) -> Self {
        CircuitBreaker { most, state: Mutex::new(State { failures: 0, closed: None }) }
    }

    /// The last error while calls are refused; `None` while calls are allowed.
    pub(crate) fn blocking_error(&self) -> Option<E> {
        self.with(|state| state.closed.clone())
    }

    pub(crate) fn record_success(&self) {
        self.with(|state| state.failures = 0);
    }

    /// Returns true if this failure opened the circuit: the caller must start the task that probes the service.
    pub(crate) fn record_failure(&self, error: &E) -> bool {
        self.with(|state| {
            state.failures += 1;
            if state.failures < self.most || state.closed.is_some() {
                return false;
            }
            state.closed = Some(error.clone());
            true
        })
    }

    /// A probe failed.
    pub(crate) fn update_error(&self, error: E) {
        self.with(|state| state.closed = Some(error));
    }

    /// Allows calls again.
    pub(crate) fn reset(&self) {
        self.with(|state| *state = State { failures: 0, closed: None });
    }

    fn with<T>(&self, change: impl FnOnce(&mut State<E>) -> T) -> T {
        // Nothing panics while the lock is held, so a poisoned state is consistent.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A URL without credentials and query.
pub fn redact_url(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs without a host, which no service has.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

/// Calls `ask` with exponential backoff between the two delays until it succeeds. Ends when `ask` returns `None`,
/// because its service was dropped.
pub(crate) async fn retry_with_backoff<F>(
    (first, most): (Duration, Duration),
    mut ask: impl FnMut() -> Option<F>,
) where
    F: Future<Output = bool>,
{
    let mut wait = first;
    loop {
        tokio::time::sleep(wait).await;
        let Some(answer) = ask() else { return };
        if answer.await {
            return;
        }
        wait = (wait * 2).min(most);
    }
}
