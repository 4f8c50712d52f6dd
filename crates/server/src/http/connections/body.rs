//! Request bodies with time limits, and the end of response bodies.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::{Body as HttpBody, Incoming};
use tokio::time::{Instant, Sleep, sleep_until};

use super::registry::Connection;

/// The request body did not arrive in time.
#[derive(Debug)]
struct BodyTimeout;

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body did not arrive in time")
    }
}

impl Error for BodyTimeout {}

/// Whether the request body reached its time limit. An extension of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyWatch(Arc<AtomicBool>);

impl BodyWatch {
    pub(crate) fn timed_out(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A request body with time limits.
pub(super) struct Received {
    body: Incoming,
    connection: Arc<Connection>,
    watch: BodyWatch,
    /// The limit for the next bytes.
    waiting: Option<Pin<Box<Sleep>>>,
    /// The limit for the whole body, from its first read.
    deadline: Option<Instant>,
}

impl Received {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>, watch: BodyWatch) -> Self {
        Received { body, connection, watch, waiting: None, deadline: None }
    }
}

impl Received {
    fn give_up(&self) -> Box<dyn Error + Send + Sync> {
        self.watch.0.store(true, Ordering::Release);
        BodyTimeout.into()
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let limits = self.connection.limits();
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + limits.body_total);
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            // The whole body has a limit too, so that a slow trickle of bytes does not hold the connection.
            if matches!(frame, Some(Ok(_))) && Instant::now() >= deadline && !self.body.is_end_stream() {
                return Poll::Ready(Some(Err(self.give_up())));
            }
            if frame.is_none() || self.body.is_end_stream() {
                self.connection.end_request();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.min(Instant::now() + limits.body_idle))));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(self.give_up())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Marks the response as complete when it is dropped.
pub(super) struct EndAnswer(pub(super) Arc<Connection>);

impl Drop for EndAnswer {
    fn drop(&mut self) {
        self.0.end_answer();
    }
}
