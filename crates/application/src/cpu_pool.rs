//! Scheduler for CPU-bound work (check, repair, compare, render): bounded, fair between users, with a deadline that
//! includes the wait, and cancelled when its caller disconnects.
//!
//! Waiting work uses no thread, so it cannot exhaust the threads that hash passwords or read files. Large texts get
//! fewer slots than the engine has threads, if it has more than one, so that a small text finds a free thread.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mermend::Deadline;
use tokio::{sync::oneshot, time::timeout};

use crate::{Error, RETRY_AFTER_S};

const MAX_LIGHT_BYTES: usize = 4 << 10;
/// Most tasks waiting, of all users.
const MAX_WAITING: usize = 512;
/// Most tasks waiting of one user.
const MAX_WAITING_OF_ONE: usize = 64;

tokio::task_local! {
    static PERSON: Arc<str>;
}

/// Runs `work` on behalf of a user: tasks of different users are scheduled round-robin.
pub fn on_behalf_of<T>(person: Arc<str>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    PERSON.scope(person, work)
}

/// Keeps the user of the current task for work that is spawned as another task.
pub fn on_same_behalf<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    on_behalf_of(person(), work)
}

/// User of the current task; empty for the process itself.
fn person() -> Arc<str> {
    PERSON.try_with(Arc::clone).unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full, or the deadline passed while waiting.
    Busy,
    /// The queue of this user is full.
    TooManyOfOne,
    /// The process is shutting down.
    Closed,
    /// The work panicked.
    Failed,
}

/// Weight of a task and the resource it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Light,
    /// A check of a large text, which occupies a thread of the engine.
    HeavyCheck,
    HeavyOther,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A thread of the checking engine.
    Engine,
    /// Only CPU time.
    Processor,
}

/// Slots by class.
#[derive(Debug, Clone, Copy)]
struct Slots {
    all: usize,
    of_one: usize,
    heavy_checks: usize,
    heavy_others: usize,
}

impl Slots {
    /// Whether one more task of this class may run for this user. Each user has one slot for heavy work.
    fn allow<'a>(self, running: impl Iterator<Item = &'a Running>, person: &Arc<str>, class: Class) -> bool {
        let (mut all, mut own, mut of_class, mut own_of_class) = (0, 0, 0, 0);
        for other in running {
            let (is_own, is_of_class) = (other.person == *person, other.class == class);
            all += 1;
            own += usize::from(is_own);
            of_class += usize::from(is_of_class);
            own_of_class += usize::from(is_own && is_of_class);
        }
        let (most, most_of_one) = match class {
            Class::Light => (self.all, self.of_one),
            Class::HeavyCheck => (self.heavy_checks, 1),
            Class::HeavyOther => (self.heavy_others, 1),
        };
        all < self.all && own < self.of_one && of_class < most && own_of_class < most_of_one
    }
}

/// Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct CpuPool {
    shared: Arc<Shared>,
}

struct Shared {
    slots: Slots,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    next_id: u64,
    running: HashMap<u64, Running>,
    /// Users in round-robin order, each with waiting tasks, oldest first.
    queue: VecDeque<(Arc<str>, VecDeque<Waiting>)>,
}

struct Running {
    person: Arc<str>,
    class: Class,
    deadline: Deadline,
}

/// A waiting task. One whose caller is gone is skipped, and removed when the queue is full.
struct Waiting {
    class: Class,
    deadline: Deadline,
    slot: oneshot::Sender<Slot>,
}

impl Waiting {
    fn is_wanted(&self) -> bool {
        !self.slot.is_closed()
    }
}

/// Released when dropped.
struct Slot {
    pool: CpuPool,
    id: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.state().running.remove(&self.id);
        self.pool.dispatch();
    }
}

/// Cancels the work when its caller is gone.
struct CancelOnDrop(Option<Deadline>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(deadline) = &self.0 {
            deadline.cancel();
        }
    }
}

impl CpuPool {
    pub fn new(cores: NonZeroUsize, engine_threads: NonZeroUsize) -> Self {
        let cores = cores.get().min(16);
        CpuPool::with(Slots {
            all: cores * 2,
            of_one: cores,
            heavy_checks: (engine_threads.get() - 1).max(1),
            heavy_others: cores,
        })
    }

    fn with(slots: Slots) -> Self {
        CpuPool { shared: Arc::new(Shared { slots, state: Mutex::default() }) }
    }

    /// Runs `work` on a text of `size_bytes` for the user of the current task, until the deadline.
    ///
    /// If the caller disconnects, running work is cancelled through the deadline.
    pub async fn run<T: Send + 'static>(
        &self,
        uses: Use,
        size_bytes: usize,
        deadline: Deadline,
        work: impl FnOnce(&Deadline) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let mut cancel = CancelOnDrop(Some(deadline.clone()));
        let class = match (size_bytes <= MAX_LIGHT_BYTES, uses) {
            (true, _) => Class::Light,
            (false, Use::Engine) => Class::HeavyCheck,
            (false, Use::Processor) => Class::HeavyOther,
        };
        let slot = self.slot(class, &deadline).await?;
        let work = move || {
            // Released when the work is done, whether or not a caller still waits for it.
            let _slot = slot;
            work(&deadline)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| Refused::Failed);
        // The work is done; its deadline may be reused for a next step.
        cancel.0 = None;
        done
    }

    async fn slot(&self, class: Class, deadline: &Deadline) -> Result<Slot, Refused> {
        let (slot, wait) = oneshot::channel();
        self.state().push(person(), Waiting { class, deadline: deadline.clone(), slot })?;
        self.dispatch();
        within(deadline, wait).await?.map_err(|_| Refused::Closed)
    }

    /// Gives free slots to waiting tasks.
    fn dispatch(&self) {
        let mut placed = Vec::new();
        let mut state = self.state();
        while let Some((person, waiting)) = state.next(self.shared.slots) {
            let id = state.next_id;
            state.next_id += 1;
            let Waiting { class, deadline, slot: caller } = waiting;
            state.running.insert(id, Running { person, class, deadline });
            placed.push((caller, Slot { pool: self.clone(), id }));
        }
        drop(state);
        // Outside the lock: dropping the slot of a caller that is gone takes the lock.
        for (caller, slot) in placed {
            drop(caller.send(slot));
        }
    }

    /// Numbers of running and waiting tasks.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running.len(), state.waiting())
    }

    /// Refuses new work and cancels waiting and running work.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.queue.clear();
        state.running.values().for_each(|running| running.deadline.cancel());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned state is consistent.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Number of waiting tasks whose caller is still connected.
    fn waiting(&self) -> usize {
        let wanted =
            |(_, waiting): &(_, VecDeque<Waiting>)| waiting.iter().filter(|one| one.is_wanted()).count();
        self.queue.iter().map(wanted).sum()
    }

    fn push(&mut self, person: Arc<str>, work: Waiting) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        self.queue.retain_mut(|(_, waiting)| {
            waiting.retain(Waiting::is_wanted);
            !waiting.is_empty()
        });
        if self.waiting() >= MAX_WAITING {
            return Err(Refused::Busy);
        }
        match self.queue.iter_mut().find(|(known, _)| *known == person) {
            Some((_, waiting)) if waiting.len() >= MAX_WAITING_OF_ONE => return Err(Refused::TooManyOfOne),
            Some((_, waiting)) => waiting.push_back(work),
            None => self.queue.push_back((person, VecDeque::from([work]))),
        }
        Ok(())
    }

    /// Takes the next task that may run; its user moves to the end of the round.
    fn next(&mut self, slots: Slots) -> Option<(Arc<str>, Waiting)> {
        let State { running, queue, .. } = self;
        let (turn, at) = queue.iter().enumerate().find_map(|(turn, (person, waiting))| {
            let fits = |one: &Waiting| one.is_wanted() && slots.allow(running.values(), person, one.class);
            Some((turn, waiting.iter().position(fits)?))
        })?;
        let (person, mut waiting) = queue.remove(turn)?;
        let work = waiting.remove(at)?;
        if !waiting.is_empty() {
            queue.push_back((Arc::clone(&person), waiting));
        }
        Some((person, work))
    }
}

/// Waits for a future, at most until the deadline.
pub(crate) async fn within<T>(deadline: &Deadline, wait: impl Future<Output = T>) -> Result<T, Refused> {
    match deadline.remaining() {
        Some(left) => timeout(left, wait).await.map_err(|_| Refused::Busy),
        None => Ok(wait.await),
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let (reason, error) = match refused {
            Refused::Busy => (
                "busy",
                Error::busy("The server is busy with other diagrams. Nothing was changed; try again"),
            ),
            Refused::TooManyOfOne => (
                "too_many_of_one",
                Error::RateLimited {
                    message: format!(
                        "{MAX_WAITING_OF_ONE} of your requests are waiting already. Send fewer at a time; try \
                         again in {RETRY_AFTER_S} s."
                    ),
                    wait_s: RETRY_AFTER_S,
                },
            ),
            Refused::Closed => {
                ("closed", Error::busy("The server is shutting down. Nothing was changed; try again"))
            }
            Refused::Failed => ("failed", Error::Internal("a worker thread ended early".to_owned())),
        };
        metrics::counter!("ba_copilot_work_refused_total", "reason" => reason).increment(1);
        error
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const HEAVY: usize = MAX_LIGHT_BYTES + 1;

    fn pool() -> CpuPool {
        CpuPool::with(Slots { all: 4, of_one: 3, heavy_checks: 2, heavy_others: 2 })
    }

    /// A task that runs until it is released or cancelled.
    struct Held {
        task: tokio::task::JoinHandle<Result<bool, Refused>>,
        release: mpsc::Sender<()>,
        begun: oneshot::Receiver<()>,
    }

    fn hold(pool: &CpuPool, person: &str, uses: Use, size_bytes: usize) -> Held {
        let (release, released) = mpsc::channel();
        let (begins, begun) = oneshot::channel();
        let pool = pool.clone();
        let work = async move {
            pool.run(uses, size_bytes, Deadline::none(), move |deadline| {
                begins.send(()).expect("the test listens");
                while !deadline.exceeded() {
                    match released.recv_timeout(Duration::from_millis(1)) {
                        Ok(()) => return true,
                        Err(mpsc::RecvTimeoutError::Timeout) => {}
                        Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                    }
                }
                false
            })
            .await
        };
        Held { task: tokio::spawn(on_behalf_of(person.into(), work)), release, begun }
    }

    /// Whether a task starts without another task ending.
    async fn begins(held: &mut Held) -> bool {
        // A task that can start does so as soon as the runtime polls it.
        timeout(Duration::from_millis(300), &mut held.begun).await.is_ok()
    }

    #[tokio::test]
    async fn slots_are_limited_by_user_and_weight() {
        let pool = pool();
        let mut large = hold(&pool, "a", Use::Engine, HEAVY);
        assert!(begins(&mut large).await);
        let mut second = hold(&pool, "a", Use::Engine, HEAVY);
        assert!(!begins(&mut second).await, "one large text of a person at a time");
        let mut small = hold(&pool, "a", Use::Engine, 1);
        assert!(begins(&mut small).await, "a small one passes it");
        let mut other = hold(&pool, "b", Use::Engine, HEAVY);
        assert!(begins(&mut other).await);
        let mut third = hold(&pool, "c", Use::Engine, HEAVY);
        assert!(!begins(&mut third).await, "as many large ones as there are places for them");
        let mut honest = hold(&pool, "d", Use::Engine, 1);
        assert!(begins(&mut honest).await, "a small one finds a place");
        large.release.send(()).expect("it runs");
        assert_eq!(large.task.await.expect("no panic"), Ok(true));
        assert!(begins(&mut third).await || begins(&mut second).await);
    }

    #[tokio::test]
    async fn users_are_scheduled_round_robin() {
        let pool = CpuPool::with(Slots { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        let mut first = hold(&pool, "a", Use::Processor, 1);
        assert!(begins(&mut first).await);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for person in ["a", "a", "a", "b"] {
            let (inner, order) = (pool.clone(), Arc::clone(&order));
            let work = async move {
                inner
                    .run(Use::Processor, 1, Deadline::none(), move |_| {
                        order.lock().expect("held").push(person)
                    })
                    .await
            };
            tasks.push(tokio::spawn(on_behalf_of(person.into(), work)));
            let waiting = tasks.len();
            while pool.counts().1 < waiting {
                tokio::task::yield_now().await;
            }
        }
        first.release.send(()).expect("it runs");
        for task in tasks {
            task.await.expect("no panic").expect("done");
        }
        assert_eq!(*order.lock().expect("held"), ["a", "b", "a", "a"]);
    }

    #[tokio::test]
    async fn deadline_includes_waiting() {
        let pool = CpuPool::with(Slots { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        let mut first = hold(&pool, "a", Use::Processor, 1);
        assert!(begins(&mut first).await);
        let late = pool.run(Use::Processor, 1, Deadline::after(Duration::from_millis(20)), |_| ());
        assert_eq!(late.await, Err(Refused::Busy));
        assert_eq!(pool.counts().1, 0, "it waits no more");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_of_a_disconnected_caller_is_cancelled() {
        let pool = pool();
        let (sender, receiver) = mpsc::channel();
        let (begins, begun) = oneshot::channel();
        let inner = pool.clone();
        let task = tokio::spawn(async move {
            inner
                .run(Use::Processor, 1, Deadline::none(), move |deadline| {
                    begins.send(()).expect("the test listens");
                    while !deadline.exceeded() {
                        std::thread::yield_now();
                    }
                    sender.send(()).expect("the test listens");
                })
                .await
        });
        begun.await.expect("it began");
        task.abort();
        receiver.recv_timeout(Duration::from_secs(20)).expect("it noticed");
    }

    #[tokio::test]
    async fn waiting_tasks_are_limited_and_removed() {
        let pool = CpuPool::with(Slots { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        let mut first = hold(&pool, "a", Use::Processor, 1);
        assert!(begins(&mut first).await);
        let mut waiting = Vec::new();
        for number in 0..MAX_WAITING {
            let held = hold(&pool, &format!("p{}", number / MAX_WAITING_OF_ONE), Use::Processor, 1);
            while pool.counts().1 <= number {
                tokio::task::yield_now().await;
            }
            waiting.push(held);
        }
        let more = |person: &str| {
            let pool = pool.clone();
            let work = async move { pool.run(Use::Processor, 1, Deadline::none(), |_| ()).await };
            on_behalf_of(person.into(), work)
        };
        assert_eq!(more("someone").await, Err(Refused::Busy));
        let gone = waiting.pop().expect("one");
        gone.task.abort();
        while pool.counts().1 == MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(more("p0").await, Err(Refused::TooManyOfOne));
        pool.close();
        for held in waiting {
            assert_eq!(held.task.await.expect("no panic"), Err(Refused::Closed));
        }
        assert_eq!(first.task.await.expect("no panic"), Ok(false), "what runs is cancelled");
        assert_eq!(more("someone").await, Err(Refused::Closed));
    }

    #[tokio::test]
    async fn panic_in_the_pool_releases_the_slot() {
        let pool = CpuPool::with(Slots { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        for _ in 0..2 {
            let failed = pool.run(Use::Processor, 1, Deadline::none(), |_| panic!("on purpose"));
            assert_eq!(failed.await, Err::<(), _>(Refused::Failed));
        }
        assert_eq!(pool.run(Use::Processor, 1, Deadline::none(), |_| 7).await, Ok(7));
        assert_eq!(pool.counts(), (0, 0));
    }
}
