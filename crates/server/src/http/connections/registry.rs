//! All connections: the phase of each and since when, and which one is closed when there are too many.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::body::{Body as _, Incoming};
use tokio::{sync::Notify, time::Instant};

use application::network::Network;
use config::Config;
use telemetry::process_limits;

/// Open files reserved for the database, the log and outgoing requests while all connections are in use.
const RESERVED_FILES: u64 = 256;
/// At the limit this share of the idle connections is closed at once, so that the next connections need no search.
const BATCH: usize = 32;

/// The time limits and the maximum number of connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    pub(super) header_read: Duration,
    pub(super) body_idle: Duration,
    pub(super) body_total: Duration,
    pub(super) keep_alive: Duration,
    pub(super) write_idle: Duration,
    most: usize,
    /// None if connections are not counted by network.
    most_of_network: Option<usize>,
}

impl ConnectionLimits {
    pub fn from_config(config: &Config) -> Self {
        let server = &config.server;
        let files = process_limits::open_files().map_or(usize::MAX, |(files, _)| {
            usize::try_from(files - RESERVED_FILES.min(files / 2)).unwrap_or(usize::MAX)
        });
        let of_network = server.max_connections_per_address;
        ConnectionLimits {
            header_read: Duration::from_secs(server.header_read_s),
            body_idle: Duration::from_secs(server.body_idle_s),
            body_total: Duration::from_secs(server.body_total_s),
            keep_alive: Duration::from_secs(server.keep_alive_s),
            write_idle: Duration::from_secs(server.write_idle_s),
            most: server.max_connections.min(files).max(1),
            // Behind a proxy every connection comes from the proxy.
            most_of_network: (server.proxies == 0 && of_network > 0).then_some(of_network),
        }
    }

    /// The time limit behind a reason to close, if it is one.
    pub(super) fn time_of(self, why: Closing) -> Option<Duration> {
        match why {
            Closing::Head => Some(self.header_read),
            Closing::Idle => Some(self.keep_alive),
            Closing::Write => Some(self.write_idle),
            Closing::Full => None,
        }
    }
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// New, or sending headers.
    Head,
    /// Without a request, after an answer.
    Idle,
    /// Sending a body.
    Body,
    /// Waiting for an answer, or reading it.
    Answering,
    /// To be closed.
    Closed,
}

impl Phase {
    const ALL: [Phase; 5] = [Phase::Head, Phase::Idle, Phase::Body, Phase::Answering, Phase::Closed];

    /// Whether the server waits for a complete request.
    fn waits(self) -> bool {
        matches!(self, Phase::Head | Phase::Idle | Phase::Body)
    }
}

/// Why the server closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The headers took too long.
    Head,
    /// There was no request for too long.
    Idle,
    /// The response was not read.
    Write,
    /// A new connection needed its place.
    Full,
}

impl Closing {
    const ALL: [Closing; 4] = [Closing::Head, Closing::Idle, Closing::Write, Closing::Full];

    /// The label of metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Closing::Head => "header_timeout",
            Closing::Idle => "idle_timeout",
            Closing::Write => "write_timeout",
            Closing::Full => "too_many",
        }
    }
}

pub(super) struct Connection {
    id: u64,
    network: Option<Network>,
    registry: Weak<Registry>,
    limits: ConnectionLimits,
    now_ms: Now,
    /// The phase in the lowest 3 bits, and since when, in milliseconds.
    state: AtomicU64,
    why: AtomicU64,
    closing: Notify,
}

impl Connection {
    pub(super) fn limits(&self) -> ConnectionLimits {
        self.limits
    }

    fn packed(&self, phase: Phase) -> u64 {
        (self.now_ms)() << 3 | phase as u64
    }

    fn state(&self) -> (Phase, u64, u64) {
        let packed = self.state.load(Ordering::Acquire);
        let phase = usize::try_from(packed & 7).ok().and_then(|at| Phase::ALL.get(at)).copied();
        (phase.unwrap_or(Phase::Closed), packed >> 3, packed)
    }

    /// Changes from one of these phases to another. False if the connection was in none of them.
    fn turn(&self, from: &[Phase], to: Phase) -> bool {
        let new = self.packed(to);
        let fits = |packed: u64| from.iter().any(|phase| packed & 7 == *phase as u64).then_some(new);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    /// Bytes were received.
    pub(super) fn received(&self) {
        self.turn(&[Phase::Idle], Phase::Head);
    }

    /// The headers of a request were read. False if the connection has been closed meanwhile.
    pub(super) fn begin_request(&self, body: &Incoming) -> bool {
        let next = if body.is_end_stream() { Phase::Answering } else { Phase::Body };
        self.turn(&[Phase::Head, Phase::Idle], next)
    }

    pub(super) fn end_request(&self) {
        self.turn(&[Phase::Body], Phase::Answering);
    }

    /// The response was sent, or the caller has disconnected.
    pub(super) fn end_answer(&self) {
        self.turn(&[Phase::Body, Phase::Answering], Phase::Idle);
    }

    /// Closes it in any phase.
    pub(super) fn close(&self, why: Closing) {
        if self.turn(&[Phase::Head, Phase::Idle, Phase::Body, Phase::Answering], Phase::Closed) {
            self.notify_closing(why);
        }
    }

    /// Closes it if its state has not changed since.
    fn close_as_seen(&self, seen: u64, why: Closing) -> bool {
        let closed = self.packed(Phase::Closed);
        let done = self.state.compare_exchange(seen, closed, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if done {
            self.notify_closing(why);
        }
        done
    }

    fn notify_closing(&self, why: Closing) {
        self.why.store(why as u64, Ordering::Release);
        self.closing.notify_one();
    }

    /// Waits until the server closes it.
    pub(super) async fn closed(&self) {
        self.closing.notified().await;
    }

    /// Why the server closed it, if it did.
    pub(super) fn why_closed(&self) -> Option<&'static str> {
        let closed = self.state().0 == Phase::Closed;
        let why = usize::try_from(self.why.load(Ordering::Acquire)).ok().filter(|_| closed)?;
        Closing::ALL.get(why).map(|why| why.word())
    }
}

/// Removes an ended connection from the registry.
pub(super) struct Ended(pub(super) Arc<Connection>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(registry) = self.0.registry.upgrade() {
            registry.lock().remove(&self.0);
        }
    }
}

/// Milliseconds since the start of the listener.
type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// All connections of one listener.
pub(super) struct Registry {
    limits: ConnectionLimits,
    now_ms: Now,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    of_networks: HashMap<Network, usize>,
}

impl All {
    fn remove(&mut self, connection: &Connection) {
        if self.connections.remove(&connection.id).is_none() {
            return;
        }
        let Some(network) = &connection.network else { return };
        if let Some(count) = self.of_networks.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                self.of_networks.remove(network);
            }
        }
    }

    /// Closes the connections that have been idle longest, of one network or of all. False if none was idle.
    fn close_longest_waiting(&mut self, network: Option<&Network>) -> bool {
        let mut waiting: Vec<(u64, u64, Arc<Connection>)> = self
            .connections
            .values()
            .filter(|connection| network.is_none() || connection.network.as_ref() == network)
            .filter_map(|connection| {
                let (phase, since, seen) = connection.state();
                phase.waits().then(|| (since, seen, Arc::clone(connection)))
            })
            .collect();
        let count = (waiting.len() / BATCH).max(1).min(waiting.len());
        if count == 0 {
            return false;
        }
        waiting.select_nth_unstable_by_key(count - 1, |(since, ..)| *since);
        waiting.truncate(count);
        let mut closed = false;
        for (_, seen, connection) in waiting {
            if connection.close_as_seen(seen, Closing::Full) {
                self.remove(&connection);
                closed = true;
            }
        }
        closed
    }
}

impl Registry {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        let begun = Instant::now();
        Registry::by_clock(limits, Arc::new(move || u64::try_from(begun.elapsed().as_millis()).unwrap_or(0)))
    }

    fn by_clock(limits: ConnectionLimits, now_ms: Now) -> Self {
        Registry { limits, now_ms, all: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a new connection. None if the limit is reached and no connection is idle.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Connection>> {
        let network = network_of(address).filter(|_| self.limits.most_of_network.is_some());
        let mut all = self.lock();
        if let (Some(network), Some(most)) = (&network, self.limits.most_of_network)
            && all.of_networks.get(network).is_some_and(|count| *count >= most)
            && !all.close_longest_waiting(Some(network))
        {
            return None;
        }
        if all.connections.len() >= self.limits.most && !all.close_longest_waiting(None) {
            return None;
        }
        all.next += 1;
        let connection = Connection {
            id: all.next,
            network: network.clone(),
            registry: Arc::downgrade(self),
            limits: self.limits,
            now_ms: Arc::clone(&self.now_ms),
            state: AtomicU64::new(0),
            why: AtomicU64::new(0),
            closing: Notify::new(),
        };
        connection.state.store(connection.packed(Phase::Head), Ordering::Release);
        let connection = Arc::new(connection);
        all.connections.insert(connection.id, Arc::clone(&connection));
        if let Some(network) = network {
            *all.of_networks.entry(network).or_default() += 1;
        }
        Some(connection)
    }

    /// Closes an idle connection, because the system has no resources for a new one.
    pub(super) fn make_room(&self) {
        self.lock().close_longest_waiting(None);
    }

    /// Closes connections whose time limit is reached.
    pub(super) fn close_overdue(&self) {
        let now = (self.now_ms)();
        for connection in self.lock().connections.values() {
            let (phase, since, seen) = connection.state();
            let why = match phase {
                Phase::Head => Closing::Head,
                Phase::Idle => Closing::Idle,
                // A body has its own time limit, with a response.
                Phase::Body | Phase::Answering | Phase::Closed => continue,
            };
            let limit = self.limits.time_of(why).unwrap_or(Duration::MAX);
            if u128::from(now.saturating_sub(since)) >= limit.as_millis() {
                connection.close_as_seen(seen, why);
            }
        }
    }
}

/// The network of a connection. None for this machine, where proxies and other processes of the installation run.
fn network_of(address: IpAddr) -> Option<Network> {
    (!address.to_canonical().is_loopback()).then(|| Network::from_ip(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry, and its clock in milliseconds.
    fn registry(most: usize, most_of_network: Option<usize>) -> (Arc<Registry>, Arc<AtomicU64>) {
        let second = Duration::from_secs(1);
        let limits = ConnectionLimits {
            header_read: second * 10,
            body_idle: second,
            body_total: second,
            keep_alive: second * 75,
            write_idle: second,
            most,
            most_of_network,
        };
        let clock = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&clock);
        let registry = Registry::by_clock(limits, Arc::new(move || shown.load(Ordering::Relaxed)));
        (Arc::new(registry), clock)
    }

    fn phase(connection: &Connection) -> Phase {
        connection.state().0
    }

    #[test]
    fn networks_are_addresses_of_one_customer() {
        for (address, network) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("127.0.0.1", None),
            ("::ffff:127.0.0.1", None),
            ("::1", None),
        ] {
            let found = network_of(address.parse().unwrap());
            assert_eq!(found.as_ref().map(Network::as_str), network, "{address}");
        }
    }

    #[tokio::test]
    async fn the_one_that_waited_longest_makes_room() {
        let (registry, clock) = registry(3, None);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut admitted = Vec::new();
        for _ in 0..3 {
            clock.fetch_add(5, Ordering::Relaxed);
            admitted.push(registry.admit(address).unwrap());
        }
        // The first one has sent a whole request, so that the second one has waited longest.
        assert!(admitted[0].turn(&[Phase::Head], Phase::Answering));
        let fourth = registry.admit(address).unwrap();
        assert_eq!(
            admitted.iter().map(|it| phase(it)).collect::<Vec<_>>(),
            [Phase::Answering, Phase::Closed, Phase::Head]
        );
        admitted[1].closed().await;
        assert_eq!(admitted[1].why_closed(), Some("too_many"));
        for connection in [&admitted[2], &fourth] {
            assert!(connection.turn(&[Phase::Head], Phase::Answering));
        }
        assert!(registry.admit(address).is_none(), "all are being answered");
        drop(Ended(fourth));
        assert!(registry.admit(address).is_some());
    }

    #[test]
    fn one_network_has_a_part_of_all_connections() {
        let (registry, _) = registry(100, Some(2));
        let (one, other, here) = ("192.0.2.1", "2001:db8::1", "127.0.0.1");
        let admit = |address: &str| registry.admit(address.parse().unwrap());
        let first = admit(one).unwrap();
        let second = admit(one).unwrap();
        for connection in [&first, &second] {
            assert!(connection.turn(&[Phase::Head], Phase::Answering));
        }
        assert!(admit(one).is_none());
        assert!(admit(other).is_some() && admit("2001:db8::2").is_some() && admit("2001:db8::3").is_some());
        assert!((0..10).all(|_| admit(here).is_some()));
        drop(Ended(first));
        assert!(admit(one).is_some());
        assert_eq!(registry.lock().of_networks.len(), 2);
    }

    #[test]
    fn those_whose_time_is_up_are_closed() {
        let (registry, clock) = registry(100, None);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let [head, idle, answering] = [(); 3].map(|()| registry.admit(address).unwrap());
        for connection in [&idle, &answering] {
            assert!(connection.turn(&[Phase::Head], Phase::Answering));
        }
        idle.end_answer();
        let phases = || [&head, &idle, &answering].map(|it| phase(it));
        clock.store(9_999, Ordering::Relaxed);
        registry.close_overdue();
        assert_eq!(phases(), [Phase::Head, Phase::Idle, Phase::Answering]);
        clock.store(10_000, Ordering::Relaxed);
        registry.close_overdue();
        assert_eq!(phases(), [Phase::Closed, Phase::Idle, Phase::Answering]);
        // Bytes of the next request restart the time for headers.
        idle.received();
        clock.store(20_000, Ordering::Relaxed);
        registry.close_overdue();
        assert_eq!(phases(), [Phase::Closed, Phase::Closed, Phase::Answering]);
        assert_eq!(idle.why_closed(), Some("header_timeout"));
        assert!(
            !head.turn(&[Phase::Head, Phase::Idle], Phase::Answering),
            "no request begins on a closed one"
        );
    }
}
