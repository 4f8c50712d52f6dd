//! The way to another process, which is closed while that does not answer, so that nobody waits for what is not there.
//!
//! Whoever owns the way asks, notes how it went, and starts a task that asks until there is an answer ([`until_back`]).

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::Url;

/// Whether a way is open, and why it is not.
pub(crate) struct CircuitBreaker<E> {
    /// Failures in a row that close it.
    most: u32,
    state: Mutex<State<E>>,
}

struct State<E> {
    failures: u32,
    closed: Option<E>,
}

impl<E: Clone> CircuitBreaker<E> {
    /// An open way, which so many failures in a row close.
    pub(crate) fn new(most: u32) -> Self {
        CircuitBreaker { most, state: Mutex::new(State { failures: 0, closed: None }) }
    }

    /// Why nobody is to be asked; `None` while the way is open.
    pub(crate) fn blocking_error(&self) -> Option<E> {
        self.with(|state| state.closed.clone())
    }

    /// There was an answer.
    pub(crate) fn record_success(&self) {
        self.with(|state| state.failures = 0);
    }

    /// There was none. True if this closed the way: then the task that opens it again has to be started.
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

    /// There is still none, for this reason.
    pub(crate) fn update_error(&self, error: E) {
        self.with(|state| state.closed = Some(error));
    }

    /// It is back.
    pub(crate) fn reset(&self) {
        self.with(|state| *state = State { failures: 0, closed: None });
    }

    fn with<T>(&self, change: impl FnOnce(&mut State<E>) -> T) -> T {
        // Nothing in here panics half-way, so what a panic elsewhere left behind is whole.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An address without what may be secret in one.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These only fail for addresses that have no host, which nobody can ask.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

/// Asks until there is an answer, seldomer each time between the two waits; ends as soon as `ask` gives nothing to wait for,
/// because nobody needs the way any more.
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
