//! Thread pool for password hashing, with a bounded queue and a deadline.
//!
//! One hash takes 19 MiB and a core for about 20 ms, and unauthenticated requests can cause one. A separate pool
//! keeps other work (CPU pool, blocking file I/O) from delaying sign-in.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

use crate::Error;

/// Queue length for each slot: at 20 ms a hash, one to two seconds.
const WAITING_PER_SLOT: usize = 64;
/// Longest wait for a slot.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct HashingPool(Arc<Inner>);

struct Inner {
    slots: Arc<Semaphore>,
    max_waiting: usize,
    max_wait: Duration,
    waiting: AtomicUsize,
    begun: AtomicU64,
}

/// Counts a waiting caller until dropped, also when the caller disconnects.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl HashingPool {
    pub fn new(cores: NonZeroUsize) -> Self {
        let slots = cores.get().min(16);
        HashingPool::with(slots, slots * WAITING_PER_SLOT, MAX_WAIT)
    }

    fn with(slots: usize, max_waiting: usize, max_wait: Duration) -> Self {
        HashingPool(Arc::new(Inner {
            slots: Arc::new(Semaphore::new(slots)),
            max_waiting,
            max_wait,
            waiting: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
        }))
    }

    /// Runs `work` on its own thread. A caller who disconnects while waiting leaves the queue; after that, the thread
    /// keeps its slot until the work is done.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when the queue is full or the wait takes too long; the work is not started then.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let slot = self.slot().await?;
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        let (done, result) = oneshot::channel();
        let work = move || {
            // Released when the work is done, also if the caller has disconnected.
            let _slot = slot;
            // The receiver is gone if the caller has disconnected.
            drop(done.send(work()));
        };
        thread::Builder::new().name("hashing".to_owned()).spawn(work).map_err(|_| busy())?;
        result.await.map_err(|_| Error::Internal("hashing a password ended early".to_owned()))
    }

    /// Reserves a slot until it is dropped. Fails like [`HashingPool::run`].
    pub async fn slot(&self) -> Result<OwnedSemaphorePermit, Error> {
        let Inner { slots, max_waiting, max_wait, waiting, .. } = &*self.0;
        if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            return Ok(slot);
        }
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(waiting);
        if before >= *max_waiting {
            return Err(busy());
        }
        match timeout(*max_wait, Arc::clone(slots).acquire_owned()).await {
            Ok(slot) => slot.map_err(|_| Error::Internal("the hashing pool is closed".to_owned())),
            Err(_) => Err(busy()),
        }
    }

    /// Number of free slots.
    pub fn free(&self) -> usize {
        self.0.slots.available_permits()
    }

    /// Number of waiting callers.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Acquire)
    }

    pub fn max_waiting(&self) -> usize {
        self.0.max_waiting
    }

    /// Number of started hashes.
    pub fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Acquire)
    }
}

fn busy() -> Error {
    Error::busy("The queue for password checks is full, so the password was not checked. Try again")
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll};

    use futures_util::poll;

    use super::*;

    fn is_busy<T>(result: &Result<T, Error>) -> bool {
        matches!(result, Err(Error::Busy { wait_s: 2, .. }))
    }

    #[tokio::test]
    async fn full_queue_refuses_and_disconnected_callers_leave_it() {
        let pool = HashingPool::with(1, 2, Duration::from_secs(60));
        let slot = pool.slot().await.unwrap();
        {
            let (mut one, mut two, mut three) =
                (pin!(pool.run(|| 1)), pin!(pool.run(|| 2)), pin!(pool.run(|| 3)));
            assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
            match poll!(&mut three) {
                Poll::Ready(result) => assert!(is_busy(&result)),
                Poll::Pending => panic!("a third caller waits"),
            }
            assert_eq!(pool.waiting(), 2);
        }
        assert_eq!((pool.waiting(), pool.begun()), (0, 0), "their work was never begun");
        drop(slot);
        assert_eq!(pool.run(|| 4).await, Ok(4));
    }

    #[tokio::test]
    async fn wait_for_a_slot_times_out() {
        let pool = HashingPool::with(1, 2, Duration::ZERO);
        let slot = pool.slot().await.unwrap();
        assert!(is_busy(&pool.run(|| 1).await));
        assert_eq!((pool.waiting(), pool.begun()), (0, 0));
        drop(slot);
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn slot_is_held_until_the_work_is_done() {
        let pool = HashingPool::with(1, 2, Duration::from_secs(60));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        {
            let mut left = pin!(pool.run(move || wait.recv().is_ok()));
            assert!(poll!(&mut left).is_pending());
        }
        assert_eq!((pool.free(), pool.begun()), (0, 1));
        go.send(()).unwrap();
        assert_eq!(pool.run(|| 2).await, Ok(2));
    }

    #[tokio::test]
    async fn panic_releases_the_slot() {
        let pool = HashingPool::with(1, 2, Duration::from_secs(60));
        let failed = pool.run(|| -> u8 { panic!("a fault") }).await;
        assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
        assert_eq!(pool.run(|| 2).await, Ok(2));
    }
}
