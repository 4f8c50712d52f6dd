//! The thread on which requests run, apart from the caller's: no reply can hold up anyone's clock.
//!
//! The transport reads for as long as bytes are at hand. With the connection served by another thread, a server that
//! floods would keep it reading past every time limit; here both share one thread and take turns, and the caller's own
//! limits run elsewhere. Nor does anything log here: the transport's messages contain bodies, at `error` even.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::dispatcher::Dispatch;
use tracing::instrument::WithSubscriber;

/// Where a request says its words, if anyone listens.
pub(crate) type Words = Option<mpsc::UnboundedSender<String>>;

/// Whom the words are told, and whether anything was told yet: what was said cannot be unsaid.
pub(crate) struct Listener<'a> {
    on_delta: Option<&'a mut (dyn FnMut(&str) + Send)>,
    pub(crate) told: bool,
}

impl<'a> Listener<'a> {
    pub(crate) fn none() -> Self {
        Self { on_delta: None, told: false }
    }

    pub(crate) fn new(on_delta: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { on_delta: Some(on_delta), told: false }
    }

    pub(crate) fn tell(&mut self, text: &str) {
        if let Some(on_delta) = self.on_delta.as_mut() {
            self.told = true;
            on_delta(text);
        }
    }
}

/// The thread ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    handle: Handle,
    _end: Arc<oneshot::Sender<()>>,
}

impl Lane {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("llm".to_owned()).spawn(move || runtime.block_on(ended))?;
        Ok(Self { handle, _end: Arc::new(end) })
    }

    /// Runs one request to its end, or until this future is dropped. `None` if the request panicked.
    ///
    /// The way for words has no bound of its own: a reply has one.
    pub(crate) async fn run<F>(
        &self,
        listener: &mut Listener<'_>,
        request: impl FnOnce(Words) -> F,
    ) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (say, mut said) = mpsc::unbounded_channel();
        let words = listener.on_delta.is_some().then_some(say);
        let mut running = Running(self.handle.spawn(request(words).with_subscriber(Dispatch::none())));
        loop {
            tokio::select! {
                biased;
                Some(word) = said.recv() => listener.tell(&word),
                result = &mut running.0 => {
                    while let Ok(word) = said.try_recv() {
                        listener.tell(&word);
                    }
                    return result.ok();
                }
            }
        }
    }
}

/// A request that ends when nobody waits for it any more.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
