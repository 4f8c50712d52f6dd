//! Bounded queue of work that runs after the response, so that response times do not disclose its outcome. Drained at
//! shutdown.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::Error;

/// Most tasks queued or running.
const MAX_QUEUED: usize = 256;
/// Most tasks running at once; most of them wait for a mail server.
const MAX_RUNNING: u32 = 8;

/// Cheap to clone; clones share the queue.
#[derive(Clone)]
pub struct AfterResponse {
    tasks: TaskTracker,
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for AfterResponse {
    fn default() -> Self {
        AfterResponse {
            tasks: TaskTracker::new(),
            places: Arc::new(Semaphore::new(MAX_QUEUED)),
            running: Arc::new(Semaphore::new(MAX_RUNNING as usize)),
        }
    }
}

impl AfterResponse {
    /// Queues work.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when the queue is full; the work is dropped then.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Error::busy(
                "The queue for background work is full, so nothing was started. Try again",
            ));
        };
        let running = Arc::clone(&self.running);
        // Log lines of the work keep the request id.
        let work = async move {
            let _place = place;
            // The semaphore is never closed; even without a permit the work has to run.
            let _permit = running.acquire_owned().await.ok();
            work.await;
        };
        self.tasks.spawn(work.in_current_span());
        Ok(())
    }

    pub fn queued(&self) -> usize {
        MAX_QUEUED - self.places.available_permits()
    }

    /// Pauses the queue, after running tasks have ended, until the guard is dropped.
    pub async fn hold(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).acquire_many_owned(MAX_RUNNING).await.ok()
    }

    /// Waits until the queue is empty, at most `within`; returns the number of tasks left.
    pub async fn drain(&self, within: Duration) -> usize {
        self.tasks.close();
        match tokio::time::timeout(within, self.tasks.wait()).await {
            Ok(()) => 0,
            Err(_) => self.tasks.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn queue_is_bounded_and_drained() {
        let (queue, done) = (AfterResponse::default(), Arc::new(AtomicUsize::new(0)));
        let count = || {
            let done = Arc::clone(&done);
            async move {
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let held = queue.hold().await.unwrap();
        for _ in 0..MAX_QUEUED {
            queue.run(count()).unwrap();
        }
        assert!(matches!(queue.run(count()), Err(Error::Busy { wait_s: 2, .. })));
        assert_eq!((queue.queued(), done.load(Ordering::Relaxed)), (MAX_QUEUED, 0));
        assert_eq!(queue.drain(Duration::ZERO).await, MAX_QUEUED, "held back");
        drop(held);
        assert_eq!(queue.drain(Duration::from_secs(60)).await, 0);
        assert_eq!((queue.queued(), done.load(Ordering::Relaxed)), (0, MAX_QUEUED));
    }

    #[tokio::test]
    async fn panic_releases_the_queue_slot() {
        let queue = AfterResponse::default();
        queue.run(async { panic!("a fault") }).unwrap();
        assert_eq!(queue.drain(Duration::from_secs(60)).await, 0);
        assert_eq!(queue.queued(), 0);
        assert!(queue.hold().await.is_some());
    }
}
