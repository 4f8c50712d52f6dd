//! The thread that runs requests, apart from the caller's, so that no reply can delay the caller's time limits.
//!
//! The transport reads while bytes are available. If another thread served the connection, a flooding server would
//! keep it reading past every limit; here both share one thread and alternate, and the limits run on the caller's
//! thread. Nothing logs here: the transport's messages contain bodies, even at `error`.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::dispatcher::Dispatch;
use tracing::instrument::WithSubscriber;

/// Where a request sends text deltas, if there is a listener.
pub(crate) type Deltas = Option<mpsc::UnboundedSender<String>>;

/// The receiver of text deltas, and whether it got any: delivered text cannot be taken back.
pub(crate) struct Listener<'a> {
    on_delta: Option<&'a mut (dyn FnMut(&str) + Send)>,
    pub(crate) delivered: bool,
}

impl<'a> Listener<'a> {
    pub(crate) fn none() -> Self {
        Self { on_delta: None, delivered: false }
    }

    pub(crate) fn new(on_delta: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { on_delta: Some(on_delta), delivered: false }
    }

    pub(crate) fn deliver(&mut self, text: &str) {
        if let Some(on_delta) = self.on_delta.as_mut() {
            self.delivered = true;
            on_delta(text);
        }
    }
}

/// The thread ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    handle: Handle,
    _end: Arc<oneshot::Sender<()>>,
}

impl Executor {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("llm".to_owned()).spawn(move || runtime.block_on(ended))?;
        Ok(Self { handle, _end: Arc::new(end) })
    }

    /// Runs one request to its end, or until this future is dropped. `None` if the request panicked.
    ///
    /// The channel is unbounded because the reply is bounded.
    pub(crate) async fn run<F>(
        &self,
        listener: &mut Listener<'_>,
        request: impl FnOnce(Deltas) -> F,
    ) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let deltas = listener.on_delta.is_some().then_some(sender);
        let mut running = Running(self.handle.spawn(request(deltas).with_subscriber(Dispatch::none())));
        loop {
            tokio::select! {
                biased;
                Some(delta) = receiver.recv() => listener.deliver(&delta),
                result = &mut running.0 => {
                    while let Ok(delta) = receiver.try_recv() {
                        listener.deliver(&delta);
                    }
                    return result.ok();
                }
            }
        }
    }
}

/// Aborts the request when it is dropped.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
