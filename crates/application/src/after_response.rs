//! Work that goes on after the response, so that the time of a response does not tell what the work finds out: bounded, and waited
//! for when the process ends.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::Error;

/// The most pieces of work that wait or run.
const MAX_QUEUED: usize = 256;
/// The most that run at once. Most of them wait for a mail server.
const MAX_RUNNING: u32 = 8;

/// The queue. A clone is the same queue.
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
    /// [`Error::Busy`] when the queue is full; nothing is done then.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Error::busy(
                "The server has too much to do at the moment, so this was not begun. Try again",
            ));
        };
        let running = Arc::clone(&self.running);
        // The log lines of the work name the request that it belongs to.
        let work = async move {
            let _place = place;
            // Never closed; without a permit the work is done all the same.
            let _permit = running.acquire_owned().await.ok();
            work.await;
        };
        self.tasks.spawn(work.in_current_span());
        Ok(())
    }

    /// How many pieces of work wait or run.
    pub fn queued(&self) -> usize {
        MAX_QUEUED - self.places.available_permits()
    }

    /// Holds what is queued back until the guard is dropped, once what runs has ended.
    pub async fn hold(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).acquire_many_owned(MAX_RUNNING).await.ok()
    }

    /// Waits until everything that was queued is done, but no longer than `within`. Says how much is left.
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
    async fn work_is_bounded_and_waited_for() {
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
    async fn work_that_panics_gives_its_place_back() {
        let queue = AfterResponse::default();
        queue.run(async { panic!("a fault") }).unwrap();
        assert_eq!(queue.drain(Duration::from_secs(60)).await, 0);
        assert_eq!(queue.queued(), 0);
        assert!(queue.hold().await.is_some());
    }
}
