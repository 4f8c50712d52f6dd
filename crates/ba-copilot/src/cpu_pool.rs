//! Work that takes a processor for a while (checks, repairs, comparisons, pictures): a bounded number at a time, in turn by
//! person, each with a deadline that includes waiting, and dropped when its caller is gone.
//!
//! Waiting costs no thread, so that any number of callers who wait never take the threads that hash passwords or read files.
//! Work of large texts has fewer places than there are threads of the engine: whatever runs long, a small text finds a thread.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mermend::Deadline;
use tokio::{sync::oneshot, time::timeout};

/// Texts up to this many bytes are light.
const LIGHT_BYTES: usize = 4 << 10;
/// The most that may wait, of everyone.
const MAX_WAITING: usize = 512;
/// The most that may wait of one person.
const MAX_WAITING_OF_ONE: usize = 64;
/// When to try again, in seconds, where there is no better guess.
const TRY_AGAIN_S: u64 = 2;

tokio::task_local! {
    static PERSON: Arc<str>;
}

/// Runs `work` on behalf of the person of this name: their work takes turns with that of others.
pub fn on_behalf_of<T>(person: Arc<str>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    PERSON.scope(person, work)
}

/// Carries the person of the current task over to another task that does `work`.
pub fn on_same_behalf<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    on_behalf_of(person(), work)
}

/// On whose behalf the current task works; empty for the program itself.
fn person() -> Arc<str> {
    PERSON.try_with(Arc::clone).unwrap_or_default()
}

/// Why work was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too much is waiting, or it waited until its deadline.
    Busy {
        /// When to try again, in seconds.
        wait_s: u64,
    },
    /// Too much of this very person is waiting.
    TooManyOfOne {
        /// When to try again, in seconds.
        wait_s: u64,
    },
    /// The process is ending.
    Closed,
    /// The work ended by a fault of ours.
    Failed,
}

/// How heavy work is, and which resource it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Light,
    /// A check of a large text, which takes a thread of the engine.
    HeavyCheck,
    /// Other work on a large text.
    HeavyOther,
}

/// What work is about to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The engine that checks.
    Engine,
    /// A processor alone.
    Processor,
}

/// Places at once, by class.
#[derive(Debug, Clone, Copy)]
struct Places {
    all: usize,
    of_one: usize,
    heavy_checks: usize,
    heavy_others: usize,
}

impl Places {
    fn of(self, class: Class) -> usize {
        match class {
            Class::Light => self.all,
            Class::HeavyCheck => self.heavy_checks,
            Class::HeavyOther => self.heavy_others,
        }
    }
}

/// The pool. A clone is the same pool.
#[derive(Clone)]
pub struct CpuPool {
    shared: Arc<Shared>,
}

struct Shared {
    places: Places,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    running: HashMap<Class, usize>,
    people: HashMap<Arc<str>, Person>,
    /// Who waits, in turn.
    turns: VecDeque<Arc<str>>,
    waiting: usize,
    next_id: u64,
    deadlines: HashMap<u64, Deadline>,
}

#[derive(Default)]
struct Person {
    running: HashMap<Class, usize>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    class: Class,
    deadline: Deadline,
    place: oneshot::Sender<Place>,
}

/// A place of the pool, until it is dropped.
struct Place {
    pool: CpuPool,
    person: Arc<str>,
    class: Class,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.give_back(self);
    }
}

/// A caller that waits, until this is dropped.
struct Waits<'a> {
    pool: &'a CpuPool,
    person: Arc<str>,
    placed: Cell<bool>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if !self.placed.get() {
            self.pool.forget_gone(&self.person);
        }
    }
}

/// Ends the work when its caller is gone.
struct CancelOnDrop(Option<Deadline>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(deadline) = &self.0 {
            deadline.cancel();
        }
    }
}

impl CpuPool {
    /// A pool for a machine of so many cores and an engine of so many threads.
    pub fn new(cores: NonZeroUsize, engine_threads: NonZeroUsize) -> Self {
        let cores = cores.get().min(16);
        CpuPool::with(Places {
            all: cores * 2,
            of_one: cores,
            heavy_checks: (engine_threads.get() - 1).max(1),
            heavy_others: cores,
        })
    }

    fn with(places: Places) -> Self {
        CpuPool { shared: Arc::new(Shared { places, state: Mutex::default() }) }
    }

    /// Does `work` on a text of `size_bytes` on behalf of the person of this task, until its deadline is over.
    ///
    /// Work that is under way when its caller goes away is cancelled through the deadline.
    ///
    /// # Errors
    /// When there is no place for it in time.
    pub async fn run<T: Send + 'static>(
        &self,
        uses: Use,
        size_bytes: usize,
        deadline: Deadline,
        work: impl FnOnce(&Deadline) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let mut cancel = CancelOnDrop(Some(deadline.clone()));
        let class = match (size_bytes <= LIGHT_BYTES, uses) {
            (true, _) => Class::Light,
            (false, Use::Engine) => Class::HeavyCheck,
            (false, Use::Processor) => Class::HeavyOther,
        };
        let place = self.place(class, &deadline).await?;
        let work = move || {
            // Given back when the work has ended, however that was and whoever waits for it.
            let _place = place;
            work(&deadline)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| Refused::Failed);
        // The same deadline may go on to the next step.
        cancel.0 = None;
        done
    }

    async fn place(&self, class: Class, deadline: &Deadline) -> Result<Place, Refused> {
        let person = person();
        let wait = {
            let mut state = self.state();
            if state.closed {
                return Err(Refused::Closed);
            }
            if state.waiting >= MAX_WAITING {
                return Err(Refused::Busy { wait_s: TRY_AGAIN_S });
            }
            let known = state.people.entry(Arc::clone(&person)).or_default();
            if known.waiting.len() >= MAX_WAITING_OF_ONE {
                return Err(Refused::TooManyOfOne { wait_s: TRY_AGAIN_S });
            }
            let (place, wait) = oneshot::channel();
            known.waiting.push_back(Waiting { class, deadline: deadline.clone(), place });
            if known.waiting.len() == 1 {
                state.turns.push_back(Arc::clone(&person));
            }
            state.waiting += 1;
            wait
        };
        let waits = Waits { pool: self, person, placed: Cell::new(false) };
        self.dispatch();
        let placed = match deadline.remaining() {
            Some(left) => timeout(left, wait).await.map_err(|_| Refused::Busy { wait_s: TRY_AGAIN_S })?,
            None => wait.await,
        };
        waits.placed.set(placed.is_ok());
        placed.map_err(|_| Refused::Closed)
    }

    /// Removes the waiting of this person whose callers are gone.
    fn forget_gone(&self, person: &Arc<str>) {
        let mut gone = Vec::new();
        self.state().forget_gone(person, &mut gone);
        drop(gone);
    }

    /// Gives places to those who wait, in turn, as long as there are any.
    fn dispatch(&self) {
        let mut refused = Vec::new();
        let mut placed = Vec::new();
        {
            let mut state = self.state();
            let mut skipped = 0;
            while skipped < state.turns.len() {
                let Some(person) = state.turns.pop_front() else { break };
                match state.next_of(&person, self.shared.places, &mut refused) {
                    Some(waiting) => {
                        skipped = 0;
                        let id = state.next_id;
                        state.next_id += 1;
                        state.deadlines.insert(id, waiting.deadline);
                        let place = Place {
                            pool: self.clone(),
                            person: Arc::clone(&person),
                            class: waiting.class,
                            id,
                        };
                        placed.push((waiting.place, place));
                    }
                    None => skipped += 1,
                }
                if state.people.get(&person).is_some_and(|known| !known.waiting.is_empty()) {
                    state.turns.push_back(person);
                }
            }
        }
        // Outside the lock: a place that finds its caller gone is dropped, which takes the lock.
        drop(refused);
        for (caller, place) in placed {
            drop(caller.send(place));
        }
    }

    fn give_back(&self, place: &Place) {
        {
            let mut state = self.state();
            state.deadlines.remove(&place.id);
            decrease(&mut state.running, place.class);
            if let Some(known) = state.people.get_mut(&place.person) {
                decrease(&mut known.running, place.class);
                if known.running.is_empty() && known.waiting.is_empty() {
                    state.people.remove(&place.person);
                }
            }
        }
        self.dispatch();
    }

    /// How much runs, and how much waits.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running.values().sum(), state.waiting)
    }

    /// Takes no more work, and cancels what is waiting and what is under way.
    pub fn close(&self) {
        let waiting: Vec<Waiting> = {
            let mut state = self.state();
            state.closed = true;
            state.waiting = 0;
            state.turns.clear();
            state.deadlines.values().for_each(Deadline::cancel);
            state.people.values_mut().flat_map(|person| person.waiting.drain(..)).collect()
        };
        drop(waiting);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics; counts stay right even if something did.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next of this person that may run now, already counted as running; `None` if there is none.
    fn next_of(&mut self, person: &Arc<str>, places: Places, gone: &mut Vec<Waiting>) -> Option<Waiting> {
        self.forget_gone(person, gone);
        let State { running, people, waiting, .. } = self;
        let known = people.get_mut(person)?;
        let all: usize = running.values().sum();
        let own: usize = known.running.values().sum();
        let fits = |class: Class| {
            let of_class = running.get(&class).copied().unwrap_or_default();
            let own_of_class = known.running.get(&class).copied().unwrap_or_default();
            all < places.all
                && own < places.of_one
                && of_class < places.of(class)
                && (class == Class::Light || own_of_class == 0)
        };
        let at = known.waiting.iter().position(|one| fits(one.class));
        let next = at.and_then(|at| known.waiting.remove(at));
        if let Some(next) = &next {
            *waiting = waiting.saturating_sub(1);
            *running.entry(next.class).or_default() += 1;
            *known.running.entry(next.class).or_default() += 1;
        }
        if known.running.is_empty() && known.waiting.is_empty() {
            people.remove(person);
        }
        next
    }
}

impl State {
    fn forget_gone(&mut self, person: &Arc<str>, gone: &mut Vec<Waiting>) {
        let Some(known) = self.people.get_mut(person) else { return };
        let before = known.waiting.len();
        let (kept, left) = known.waiting.drain(..).partition(|one| !one.place.is_closed());
        known.waiting = kept;
        gone.extend::<VecDeque<Waiting>>(left);
        self.waiting = self.waiting.saturating_sub(before - known.waiting.len());
        if known.running.is_empty() && known.waiting.is_empty() {
            self.people.remove(person);
        }
    }
}

fn decrease(counts: &mut HashMap<Class, usize>, class: Class) {
    if let Some(count) = counts.get_mut(&class) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&class);
        }
    }
}

impl From<Refused> for crate::service::Error {
    fn from(refused: Refused) -> Self {
        use crate::service::Error;
        let reason = match refused {
            Refused::Busy { .. } => "busy",
            Refused::TooManyOfOne { .. } => "too_many_of_one",
            Refused::Closed => "closed",
            Refused::Failed => "failed",
        };
        metrics::counter!("ba_copilot_work_refused_total", "reason" => reason).increment(1);
        match refused {
            Refused::Busy { wait_s } => Error::Busy {
                message: format!(
                    "The server is busy with other diagrams. Nothing was changed; try again in {wait_s} s."
                ),
                wait_s,
            },
            Refused::TooManyOfOne { wait_s } => Error::TooMany {
                message: format!(
                    "{MAX_WAITING_OF_ONE} of your requests are waiting already. Send fewer at a time; try again in {wait_s} s."
                ),
                wait_s,
            },
            Refused::Closed => Error::Busy {
                message: "The server is shutting down. Nothing was changed; try again in a few seconds."
                    .to_owned(),
                wait_s: TRY_AGAIN_S,
            },
            Refused::Failed => Error::Internal("a worker thread ended early".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const HEAVY: usize = LIGHT_BYTES + 1;

    fn pool() -> CpuPool {
        CpuPool::with(Places { all: 4, of_one: 3, heavy_checks: 2, heavy_others: 2 })
    }

    /// Work that runs until it is released or cancelled, and says when it has begun.
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

    /// Whether work begins while everything else stays as it is.
    async fn begins(held: &mut Held) -> bool {
        // What could begin has begun when tasks that were ready have run; a thread tells of it at once.
        timeout(Duration::from_millis(300), &mut held.begun).await.is_ok()
    }

    #[tokio::test]
    async fn places_are_given_by_person_and_by_weight() {
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
    async fn people_take_turns() {
        let pool = CpuPool::with(Places { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
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
            while pool.state().waiting < waiting {
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
    async fn a_deadline_includes_waiting() {
        let pool = CpuPool::with(Places { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        let mut first = hold(&pool, "a", Use::Processor, 1);
        assert!(begins(&mut first).await);
        let late = pool.run(Use::Processor, 1, Deadline::after(Duration::from_millis(20)), |_| ());
        assert_eq!(late.await, Err(Refused::Busy { wait_s: TRY_AGAIN_S }));
        assert_eq!(pool.state().waiting, 0, "it waits no more");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_is_cancelled_when_its_caller_is_gone() {
        let pool = pool();
        let (tell, told) = mpsc::channel();
        let (begins, begun) = oneshot::channel();
        let inner = pool.clone();
        let task = tokio::spawn(async move {
            inner
                .run(Use::Processor, 1, Deadline::none(), move |deadline| {
                    begins.send(()).expect("the test listens");
                    while !deadline.exceeded() {
                        std::thread::yield_now();
                    }
                    tell.send(()).expect("the test listens");
                })
                .await
        });
        begun.await.expect("it began");
        task.abort();
        told.recv_timeout(Duration::from_secs(20)).expect("it noticed");
    }

    #[tokio::test]
    async fn those_who_wait_are_counted_and_forgotten() {
        let pool = CpuPool::with(Places { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        let mut first = hold(&pool, "a", Use::Processor, 1);
        assert!(begins(&mut first).await);
        let mut waiting = Vec::new();
        for number in 0..MAX_WAITING {
            let held = hold(&pool, &format!("p{}", number / MAX_WAITING_OF_ONE), Use::Processor, 1);
            while pool.state().waiting <= number {
                tokio::task::yield_now().await;
            }
            waiting.push(held);
        }
        let more = |person: &str| {
            let pool = pool.clone();
            let work = async move { pool.run(Use::Processor, 1, Deadline::none(), |_| ()).await };
            on_behalf_of(person.into(), work)
        };
        assert_eq!(more("someone").await, Err(Refused::Busy { wait_s: TRY_AGAIN_S }));
        let gone = waiting.pop().expect("one");
        gone.task.abort();
        while pool.state().waiting == MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(more("p0").await, Err(Refused::TooManyOfOne { wait_s: TRY_AGAIN_S }));
        pool.close();
        for held in waiting {
            assert_eq!(held.task.await.expect("no panic"), Err(Refused::Closed));
        }
        assert_eq!(first.task.await.expect("no panic"), Ok(false), "what runs is cancelled");
        assert_eq!(more("someone").await, Err(Refused::Closed));
    }

    #[tokio::test]
    async fn a_panic_gives_its_place_back() {
        let pool = CpuPool::with(Places { all: 1, of_one: 1, heavy_checks: 1, heavy_others: 1 });
        for _ in 0..2 {
            let failed = pool.run(Use::Processor, 1, Deadline::none(), |_| panic!("on purpose"));
            assert_eq!(failed.await, Err::<(), _>(Refused::Failed));
        }
        assert_eq!(pool.run(Use::Processor, 1, Deadline::none(), |_| 7).await, Ok(7));
        assert!(pool.state().people.is_empty() && pool.state().running.is_empty());
    }
}
