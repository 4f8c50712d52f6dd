//! The scripted provider: outcomes prepared by a program, and the questions that were asked of it.
//!
//! An ordinary provider, for tests of everything above this crate and for demonstrations. Never touches the network.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{LlmError, Misconfigured};
use crate::lane::Listener;
use crate::question::{Question, Usage};
use crate::transport::Reply;

/// How many bytes of a prepared text are told at a time.
const PIECE_BYTES: usize = 16;

/// One prepared outcome of one question.
#[derive(Debug, Clone, PartialEq)]
pub enum Scripted {
    /// An answer with this text and usage.
    Text(String, Usage),
    /// No answer. Taken as it is: attempts and pauses belong to vendors.
    Fail(LlmError),
    /// The words of the first part, then the failure, as when a connection is lost.
    Break(String, LlmError),
    /// The outcome comes after a while.
    After(Duration, Box<Scripted>),
    /// No outcome ever: the total limit ends the question.
    Hang,
}

impl Scripted {
    /// An answer with this text, and no usage to speak of.
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

/// What the scripted provider will say, and what it was asked. Clones share both.
#[derive(Clone, Default)]
pub struct Script(Arc<Inner>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

impl Script {
    /// Plays these outcomes in order, one for each question; then questions fail as
    /// [`NoScript`](Misconfigured::NoScript).
    pub fn new(outcomes: impl IntoIterator<Item = Scripted>) -> Self {
        Self(Arc::new(Inner { outcomes: Mutex::new(outcomes.into_iter().collect()), ..Inner::default() }))
    }

    /// Chooses the outcome by the question, for callers that ask several at once.
    pub fn answering(respond: impl Fn(&Question) -> Scripted + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { respond: Some(Box::new(respond)), ..Inner::default() }))
    }

    /// Adds an outcome at the end; prepared outcomes come before those of [`answering`](Self::answering).
    pub fn push(&self, outcome: Scripted) {
        lock(&self.0.outcomes).push_back(outcome);
    }

    /// The questions so far, in the order in which they were asked.
    pub fn questions(&self) -> Vec<Question> {
        lock(&self.0.questions).clone()
    }

    /// Prepared outcomes that were not played yet.
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
                    tell_in_pieces(&text, listener);
                    return Ok(Reply { text, usage });
                }
                Scripted::Fail(error) => return Err(error),
                Scripted::Break(text, error) => {
                    tell_in_pieces(&text, listener);
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

fn tell_in_pieces(mut text: &str, listener: &mut Listener<'_>) {
    while !text.is_empty() {
        let mut end = text.len().min(PIECE_BYTES);
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let (piece, rest) = text.split_at(end);
        listener.tell(piece);
        text = rest;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
