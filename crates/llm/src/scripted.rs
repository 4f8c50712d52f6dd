//! The scripted provider: prepared outcomes, and a record of the questions.
//!
//! For tests of everything above this crate and for demonstrations. Never uses the network.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{LlmError, Misconfigured};
use crate::executor::Listener;
use crate::question::{Question, Usage};
use crate::transport::Reply;

/// Size of a delta.
const PIECE_BYTES: usize = 16;

/// One prepared outcome of one question.
#[derive(Debug, Clone, PartialEq)]
pub enum Scripted {
    Text(String, Usage),
    /// An error, without retries.
    Fail(LlmError),
    /// Deltas of the text, then the error, as when a connection is lost.
    Break(String, LlmError),
    /// The outcome after a delay.
    After(Duration, Box<Scripted>),
    /// Never an outcome: the total limit ends the question.
    Hang,
}

impl Scripted {
    /// An answer without usage.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Usage::default())
    }
}

type Respond = dyn Fn(&Question) -> Scripted + Send + Sync;

#[derive(Default)]
struct Inner {
    outcomes: Mutex<VecDeque<Scripted>>,
    questions: Mutex<Vec<Question>>,
    respond: Option<Box<Respond>>,
}

/// Prepared outcomes and recorded questions. Clones share both.
#[derive(Clone, Default)]
pub struct Script(Arc<Inner>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

impl Script {
    /// Outcomes in order, one for each question; further questions fail with [`NoScript`](Misconfigured::NoScript).
    pub fn new(outcomes: impl IntoIterator<Item = Scripted>) -> Self {
        Self(Arc::new(Inner { outcomes: Mutex::new(outcomes.into_iter().collect()), ..Inner::default() }))
    }

    /// Chooses the outcome by the question, for concurrent questions.
    pub fn answering(respond: impl Fn(&Question) -> Scripted + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { respond: Some(Box::new(respond)), ..Inner::default() }))
    }

    /// Appends an outcome; prepared outcomes come before those of [`answering`](Self::answering).
    pub fn push(&self, outcome: Scripted) {
        lock(&self.0.outcomes).push_back(outcome);
    }

    /// In the order in which they were asked.
    pub fn questions(&self) -> Vec<Question> {
        lock(&self.0.questions).clone()
    }

    /// The number of unused outcomes.
    pub fn remaining(&self) -> usize {
        lock(&self.0.outcomes).len()
    }

    pub(crate) async fn play(
        &self,
        question: &Question,
        listener: &mut Listener<'_>,
    ) -> Result<Reply, LlmError> {
        lock(&self.0.questions).push(question.clone());
        let prepared = lock(&self.0.outcomes).pop_front();
        let mut outcome = match (prepared, &self.0.respond) {
            (Some(outcome), _) => outcome,
            (None, Some(respond)) => respond(question),
            (None, None) => return Err(LlmError::misconfigured(Misconfigured::NoScript)),
        };
        loop {
            match outcome {
                Scripted::Text(text, usage) => {
                    deliver_in_pieces(&text, listener);
                    return Ok(Reply { text, usage });
                }
                Scripted::Fail(error) => return Err(error),
                Scripted::Break(text, error) => {
                    deliver_in_pieces(&text, listener);
                    return Err(error);
                }
                Scripted::After(delay, then) => {
                    tokio::time::sleep(delay).await;
                    outcome = *then;
                }
                Scripted::Hang => std::future::pending().await,
            }
        }
    }
}

fn deliver_in_pieces(mut text: &str, listener: &mut Listener<'_>) {
    while !text.is_empty() {
        let mut end = text.len().min(PIECE_BYTES);
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let (piece, rest) = text.split_at(end);
        listener.deliver(piece);
        text = rest;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
