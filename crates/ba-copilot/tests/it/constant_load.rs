//! Constant load: requests at a fixed rate over new and persistent connections, recorded writes, and listeners of
//! events. A failed request, an interrupted stream and a missing write are failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Requests per second of all clients together.
pub(crate) const RATE: u32 = 300;
/// The number of clients; every second one opens a new connection for each request.
const CLIENTS: u32 = 12;
/// The number of clients that follow the event stream.
pub(crate) const LISTENERS: usize = 4;
/// Longer than every time limit of the program.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shared state of all clients.
pub(crate) struct Crowd {
    address: String,
    /// The authorization header; empty where no account is required.
    known: String,
    project: String,
    over: AtomicBool,
    answered: AtomicUsize,
    reopened: AtomicUsize,
    failures: Mutex<Vec<String>>,
    /// Titles of acknowledged writes, with their ids.
    written: Mutex<BTreeMap<String, String>>,
    /// Ids that each listener received.
    received: Vec<Mutex<BTreeSet<String>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A response: its head and, if it is not a stream, its body.
struct Reply {
    status: u16,
    closes: bool,
    body: String,
}

/// A persistent connection, which is used until the server closes it.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    fn send(&mut self, address: &str, method: &str, path: &str, more: &str, body: &str) -> io::Result<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             {more}content-length: {}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all(format!("{head}{body}").as_bytes())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// The status, and the headers with lowercase names.
    fn head(&mut self) -> io::Result<(u16, BTreeMap<String, String>)> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_ascii_lowercase()),
                None => break,
            };
        }
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, headers))
    }

    /// The next chunk of a chunked body; `None` at its end.
    fn chunk(&mut self) -> io::Result<Option<String>> {
        let size = self.line()?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes)?;
        self.line()?;
        Ok((size > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let (status, headers) = self.head()?;
        let mut body = String::new();
        if let Some(length) = headers.get("content-length") {
            let mut bytes = vec![0; length.parse().map_err(|_| io::ErrorKind::InvalidData)?];
            self.stream.read_exact(&mut bytes)?;
            body = String::from_utf8_lossy(&bytes).into_owned();
        } else {
            while let Some(chunk) = self.chunk()? {
                body.push_str(&chunk);
            }
        }
        Ok(Reply { status, closes: headers.get("connection").is_some_and(|value| value == "close"), body })
    }
}

impl Crowd {
    /// Starts all clients at `address`, in a new project.
    pub(crate) fn start(address: &str, token: &str) -> Arc<Crowd> {
        let known =
            if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let mut connection = Connection::open(address).expect("a connection");
        connection.send(address, "POST", "/api/v1/projects", &known, r#"{"name":"Crowd"}"#).expect("sent");
        let made: Value = serde_json::from_str(&connection.reply().expect("an answer").body).expect("JSON");
        let crowd = Arc::new(Crowd {
            address: address.to_owned(),
            known,
            project: made["id"].as_str().expect("an id").to_owned(),
            over: AtomicBool::default(),
            answered: AtomicUsize::default(),
            reopened: AtomicUsize::default(),
            failures: Mutex::default(),
            written: Mutex::default(),
            received: (0..LISTENERS).map(|_| Mutex::default()).collect(),
            threads: Mutex::default(),
        });
        let begun = Instant::now();
        let spawn = |work: fn(&Crowd, u32, Instant), number: u32| {
            let mine = Arc::clone(&crowd);
            thread::spawn(move || work(&mine, number, begun))
        };
        let listeners: Vec<_> = (0..LISTENERS as u32).map(|number| spawn(Crowd::listen, number)).collect();
        let clients = (0..CLIENTS).map(|number| spawn(Crowd::ask, number));
        let all: Vec<_> = listeners.into_iter().chain(clients).collect();
        crowd.threads.lock().expect("threads").extend(all);
        crowd
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn fail(&self, what: String) {
        let mut failures = self.failures.lock().expect("failures");
        // The first failures are enough for the report.
        if failures.len() < 500 {
            failures.push(what);
        }
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().expect("failures").clone()
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// How often a stream ended regularly and was opened again.
    pub(crate) fn reopened(&self) -> usize {
        self.reopened.load(Ordering::Relaxed)
    }

    /// Waits until this many more requests are answered.
    pub(crate) fn wait_for_more(&self, more: usize) {
        let goal = self.answered() + more;
        crate::acknowledged_writes::wait_for("answers", || {
            self.answered() >= goal || !self.failures().is_empty()
        });
    }

    /// One client, which sends its share of the requests at regular intervals.
    fn ask(&self, client: u32, begun: Instant) {
        let step = Duration::from_secs(1) * CLIENTS / RATE;
        let mut connection = None;
        for number in 0.. {
            let due = begun + step * number + step * client / CLIENTS;
            // The fixed rate is what is tested, so there is no condition to wait for.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.is_over() {
                return;
            }
            let keeps = client.is_multiple_of(2);
            if let Err(error) = self.request(&mut connection, client, number, keeps) {
                connection = None;
                self.fail(format!("client {client}, request {number}: {error}"));
            }
        }
    }

    fn request(
        &self,
        connection: &mut Option<Connection>,
        client: u32,
        number: u32,
        keeps: bool,
    ) -> io::Result<()> {
        let title = format!("client {client} number {number}");
        let path = format!("/api/v1/projects/{}/diagrams", self.project);
        let code = json!({"code": format!("flowchart LR\n  a --> b{}", number % 50)}).to_string();
        let text = json!({"message": format!("A customer places order {}.", number % 20)}).to_string();
        let write = json!({"title": title, "code": "flowchart LR\n  a --> b"}).to_string();
        let (method, path, more, body) = match number % 20 {
            3 => ("POST", path.as_str(), "", write.as_str()),
            7 => ("POST", "/api/v1/validate", "", code.as_str()),
            11 => ("POST", "/api/v1/generate/class-diagram", "accept: text/event-stream\r\n", text.as_str()),
            _ => ("GET", "/api/v1/projects", "", ""),
        };
        let open = match connection {
            Some(open) => open,
            None => connection.insert(Connection::open(&self.address)?),
        };
        let end = if keeps { "" } else { "connection: close\r\n" };
        open.send(&self.address, method, path, &format!("{}{more}{end}", self.known), body)?;
        let reply = open.reply()?;
        if reply.closes || !keeps {
            *connection = None;
        }
        let good = match number % 20 {
            3 => reply.status == 201,
            11 => reply.status == 200 && reply.body.contains("event: result"),
            _ => reply.status == 200,
        };
        if !good {
            self.fail(format!("{method} {path}: {} {}", reply.status, reply.body));
        } else if number % 20 == 3 {
            let made: Value = serde_json::from_str(&reply.body).map_err(|_| io::ErrorKind::InvalidData)?;
            let id = made["id"].as_str().unwrap_or_default().to_owned();
            self.written.lock().expect("written").insert(title, id);
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// One listener: reconnects after the last event whenever the stream ends.
    fn listen(&self, number: u32, _: Instant) {
        let mut last = String::new();
        while !self.is_over() {
            if let Err(error) = self.listen_once(number as usize, &mut last) {
                self.fail(format!("listener {number}: the stream was interrupted: {error}"));
            } else {
                self.reopened.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn listen_once(&self, number: usize, last: &mut String) -> io::Result<()> {
        let mut connection = Connection::open(&self.address)?;
        let path = format!("/api/v1/projects/{}/events", self.project);
        let more = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
        connection.send(&self.address, "GET", &path, &format!("{}{more}", self.known), "")?;
        let (status, _) = connection.head()?;
        if status != 200 {
            return Err(io::Error::other(format!("{status}")));
        }
        let mut text = String::new();
        while let Some(chunk) = connection.chunk()? {
            text.push_str(&chunk);
            while let Some((block, rest)) = text.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    *last = id.to_owned();
                    let data: Value = serde_json::from_str(data).map_err(|_| io::ErrorKind::InvalidData)?;
                    if data["action"] == "diagram.create" {
                        let subject = data["subject"].as_str().unwrap_or_default().to_owned();
                        self.received[number].lock().expect("received").insert(subject);
                    }
                }
                text = rest.to_owned();
            }
            if self.is_over() && self.has_received_all(number) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn has_received_all(&self, number: usize) -> bool {
        let received = self.received[number].lock().expect("received");
        self.written.lock().expect("written").values().all(|id| received.contains(id))
    }

    /// Stops all clients, and waits until every listener has received every acknowledged write.
    pub(crate) fn end(&self) {
        crate::acknowledged_writes::wait_for("every listener to receive every write", || {
            // Writers continue meanwhile, so all listeners are up to date only at some moments.
            (0..LISTENERS).all(|number| self.has_received_all(number)) || !self.failures().is_empty()
        });
        self.over.store(true, Ordering::SeqCst);
        // A last event wakes the listeners.
        let mut connection = Connection::open(&self.address).expect("a connection");
        let path = format!("/api/v1/projects/{}/diagrams", self.project);
        let last = r#"{"title":"the last one","code":"flowchart LR\n  a --> b"}"#;
        connection.send(&self.address, "POST", &path, &self.known, last).expect("sent");
        assert_eq!(connection.reply().expect("an answer").status, 201);
        for thread in self.threads.lock().expect("threads").drain(..) {
            thread.join().expect("a client");
        }
    }

    /// Every acknowledged write exists exactly once, and nothing else exists.
    pub(crate) fn compare(&self) {
        let (mut titles, mut after) = (Vec::new(), String::new());
        loop {
            let mut connection = Connection::open(&self.address).expect("a connection");
            let path = format!("/api/v1/projects/{}/diagrams?limit=200{after}", self.project);
            connection.send(&self.address, "GET", &path, &self.known, "").expect("sent");
            let page: Value = serde_json::from_str(&connection.reply().expect("a page").body).expect("JSON");
            for item in page["items"].as_array().expect("items") {
                titles.push(item["title"].as_str().expect("a title").to_owned());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        titles.retain(|title| title != "the last one");
        titles.sort();
        let written: Vec<String> = self.written.lock().expect("written").keys().cloned().collect();
        assert!(written.len() > 10, "too few writes for a result: {}", written.len());
        assert_eq!(titles, written, "acknowledged titles and stored titles");
    }
}
