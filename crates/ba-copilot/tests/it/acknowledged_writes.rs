//! Clients of several processes, and a record of every acknowledged write: it must be readable unchanged from every
//! process, whatever fails in between.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
pub(crate) use test_support::wait_for;

/// Longer than every time limit of the program.
const PATIENCE: Duration = Duration::from_secs(60);

/// A complete response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) json: Value,
}

/// A request to one process.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: Option<&'a Value>,
    /// Header names and values.
    pub(crate) headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Call { method: "GET", path, body: None, headers: Vec::new() }
    }

    pub(crate) fn post(path: &'a str, body: &'a Value) -> Self {
        Call { method: "POST", path, body: Some(body), headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends the request. An incomplete response is an error.
    pub(crate) fn send(&self, address: &str, token: &str) -> io::Result<Answer> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = self.body.map(Value::to_string).unwrap_or_default();
        let more: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n",
            self.method,
            self.path,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| cut())?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
        let whole = header("content-length").and_then(|length| length.parse().ok()) == Some(body.len());
        let json = match status {
            204 => Value::Null,
            _ => serde_json::from_str(body).ok().filter(|_| whole).ok_or_else(cut)?,
        };
        Ok(Answer { status, etag: header("etag"), json })
    }
}

/// Several processes, to which clients send requests in turn, and the acknowledged writes.
pub(crate) struct Site {
    addresses: RwLock<Vec<String>>,
    token: String,
    turn: AtomicUsize,
    /// All faults are over, so every failed request is a fault.
    calm: AtomicBool,
    over: AtomicBool,
    /// Expected fields of the response, by the path at which they are read.
    facts: Mutex<BTreeMap<String, Value>>,
    /// Writes without a response: they may or may not have been stored.
    unknown: Mutex<Vec<String>>,
    /// What each job is about, by the id of the job.
    jobs: Mutex<BTreeMap<String, String>>,
    faults: Mutex<Vec<String>>,
    failures: AtomicUsize,
}

impl Site {
    pub(crate) fn new(addresses: Vec<String>, token: String) -> Self {
        Site {
            addresses: RwLock::new(addresses),
            token,
            turn: AtomicUsize::new(0),
            calm: AtomicBool::new(false),
            over: AtomicBool::new(false),
            facts: Mutex::default(),
            unknown: Mutex::default(),
            jobs: Mutex::default(),
            faults: Mutex::default(),
            failures: AtomicUsize::new(0),
        }
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.addresses.read().expect("addresses").clone()
    }

    /// Sets the addresses to which clients send requests from now on.
    pub(crate) fn serve_at(&self, addresses: Vec<String>) {
        *self.addresses.write().expect("addresses") = addresses;
    }

    /// From now on every request that begins must be answered.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Sends the request to the next process. `None` if it did not respond or returned a clean 503; then the outcome is
    /// unknown.
    pub(crate) fn ask(&self, call: &Call<'_>) -> Option<Answer> {
        let calm = self.calm.load(Ordering::SeqCst);
        let addresses = self.addresses();
        let address = &addresses[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len()];
        let why = match call.send(address, &self.token) {
            Ok(answer) if answer.status < 500 => return Some(answer),
            Ok(answer) => {
                let clean = answer.json["code"] == "unavailable" && answer.json["detail"].is_string();
                let received = format!("{} {}", answer.status, answer.json);
                if !clean {
                    self.fault(format!("{} {}: no clean failure: {received}", call.method, call.path));
                }
                received
            }
            Err(error) => error.to_string(),
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        if calm {
            self.fault(format!("{} {} after recovery: {why}", call.method, call.path));
        }
        None
    }

    /// Records that the response at `path` has these fields with these values from now on.
    pub(crate) fn acknowledged(&self, path: String, holds: Value) {
        let before = self.facts.lock().expect("facts").insert(path.clone(), holds);
        if let Some(before) = before {
            self.fault(format!("{path} was given to two writers; the first wrote {before}"));
        }
    }

    /// Records a write whose outcome is unknown.
    pub(crate) fn not_known(&self, what: String) {
        self.unknown.lock().expect("unknown").push(what);
    }

    pub(crate) fn may_be_there(&self, what: &str) -> bool {
        self.unknown.lock().expect("unknown").iter().any(|known| known == what)
    }

    /// Records an accepted job.
    pub(crate) fn later(&self, id: String, what: String) {
        if self.jobs.lock().expect("jobs").insert(id.clone(), what).is_some() {
            self.fault(format!("{id} was given to two jobs"));
        }
    }

    pub(crate) fn asked_for_later(&self) -> BTreeMap<String, String> {
        self.jobs.lock().expect("jobs").clone()
    }

    pub(crate) fn fault(&self, fault: String) {
        self.faults.lock().expect("faults").push(fault);
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("faults").clone()
    }

    /// The number of requests without a response.
    pub(crate) fn failures(&self) -> usize {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn facts(&self) -> BTreeMap<String, Value> {
        self.facts.lock().expect("facts").clone()
    }

    /// Waits until this many more writes are acknowledged.
    pub(crate) fn wait_for_more(&self, more: usize) {
        let count = || self.facts.lock().expect("facts").len();
        let goal = count() + more;
        wait_for("acknowledged writes", || count() >= goal || !self.faults().is_empty());
        assert_eq!(self.faults(), Vec::<String>::new());
    }

    /// Reads one of the acknowledged writes again, from the next process.
    pub(crate) fn read_again(&self, number: usize) {
        let known = {
            let facts = self.facts.lock().expect("facts");
            facts.iter().nth(number % facts.len().max(1)).map(|(path, holds)| (path.clone(), holds.clone()))
        };
        let Some((path, holds)) = known else { return std::thread::yield_now() };
        if let Some(answer) = self.ask(&Call::get(&path)) {
            self.compare(&path, &holds, &answer);
        }
    }

    /// Reads every acknowledged write from every process.
    pub(crate) fn read_all_everywhere(&self) {
        for (path, holds) in self.facts() {
            for address in self.addresses() {
                match Call::get(&path).send(&address, &self.token) {
                    Ok(answer) => self.compare(&path, &holds, &answer),
                    Err(error) => self.fault(format!("{path} at {address}: {error}")),
                }
            }
        }
    }

    fn compare(&self, path: &str, holds: &Value, answer: &Answer) {
        let differs = |(name, value): (&String, &Value)| answer.json[name] != *value;
        if answer.status != 200 || holds.as_object().is_some_and(|holds| holds.iter().any(differs)) {
            self.fault(format!("{path} is {} {}, and it was {holds}", answer.status, answer.json));
        }
    }
}
