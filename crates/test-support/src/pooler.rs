//! A pooler for PostgreSQL in transaction mode, as far as clients notice: it gives each transaction another connection
//! of the server and keeps what a client left there, such as named statements. Loopback only, without passwords.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Connections of the server, which all clients share.
const SERVER_CONNECTIONS: usize = 3;

/// Answers on a port of its own until it is dropped.
pub struct Pooler {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    ended: AtomicBool,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which they become free: the next transaction gets the one that was free longest.
    free: Vec<Connection>,
    open: usize,
}

/// A connection of the server, with the start parameters of its client and what the server said at its start.
struct Connection {
    stream: TcpStream,
    startup: Vec<u8>,
    greeting: Vec<u8>,
}

impl Pooler {
    /// Starts one for the server at `host:port`.
    ///
    /// # Errors
    /// If no port is free.
    pub fn start(server: &str) -> io::Result<Pooler> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            ended: AtomicBool::new(false),
            state: Mutex::default(),
            freed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                // Its end is the end of its client or of the server.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Ok(Pooler { port, shared })
    }

    /// The URL of `url` with the address of the pooler.
    pub fn url_of(&self, url: &str) -> String {
        url.replace(&self.shared.server, &format!("127.0.0.1:{}", self.port))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// A message: its type, and all its bytes.
fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    let mut bytes = head.to_vec();
    bytes.resize(1 + length.max(4), 0);
    stream.read_exact(&mut bytes[5..])?;
    Ok((kind, bytes))
}

/// The start parameters of a client, which asks for encryption first.
fn startup(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut bytes = length.to_vec();
        bytes.resize((u32::from_be_bytes(length) as usize).max(8), 0);
        client.read_exact(&mut bytes[4..])?;
        match bytes[4..8] {
            [0, 3, 0, 0] => return Ok(bytes),
            _ => client.write_all(b"N")?,
        }
    }
}

impl Shared {
    fn connect(&self, startup: &[u8]) -> io::Result<Connection> {
        let mut stream = TcpStream::connect(&self.server)?;
        stream.set_nodelay(true)?;
        stream.write_all(startup)?;
        let mut greeting = Vec::new();
        loop {
            let (kind, bytes) = message(&mut stream)?;
            greeting.extend(&bytes);
            match kind {
                b'Z' => return Ok(Connection { stream, startup: startup.to_vec(), greeting }),
                b'E' => return Err(io::Error::other("the server refused the connection")),
                _ => (),
            }
        }
    }

    /// Waits for a connection with these start parameters.
    fn take(&self, startup: &[u8]) -> io::Result<Connection> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.open < SERVER_CONNECTIONS {
                state.open += 1;
                drop(state);
                return self.connect(startup).inspect_err(|_| self.lose());
            }
            if let Some(at) = state.free.iter().position(|free| free.startup == startup) {
                return Ok(state.free.remove(at));
            }
            if !state.free.is_empty() {
                // Of another database: replaced.
                drop(state.free.remove(0));
                state.open -= 1;
                continue;
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, connection: Connection) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(connection);
        self.freed.notify_one();
    }

    fn lose(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
        self.freed.notify_one();
    }

    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let startup = startup(&mut client)?;
        let connection = self.take(&startup)?;
        client.write_all(&connection.greeting)?;
        self.give_back(connection);
        loop {
            let first = message(&mut client)?;
            if first.0 == b'X' {
                return Ok(());
            }
            let mut connection = self.take(&startup)?;
            match transaction(&mut client, &mut connection.stream, first) {
                Ok(()) => self.give_back(connection),
                Err(error) => {
                    // Closed inside a transaction, which the server then rolls back.
                    drop(connection);
                    self.lose();
                    return Err(error);
                }
            }
        }
    }
}

/// Passes on messages until the server is outside a transaction and has answered everything.
fn transaction(client: &mut TcpStream, server: &mut TcpStream, first: (u8, Vec<u8>)) -> io::Result<()> {
    let mut next = first;
    loop {
        let (kind, bytes) = next;
        server.write_all(&bytes)?;
        // Sync and simple queries end with ReadyForQuery, which has the state of the transaction.
        if matches!(kind, b'S' | b'Q') {
            loop {
                let (kind, bytes) = message(server)?;
                client.write_all(&bytes)?;
                if kind == b'Z' {
                    match bytes.last() {
                        Some(b'I') => return Ok(()),
                        _ => break,
                    }
                }
            }
        }
        next = message(client)?;
        if next.0 == b'X' {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}
