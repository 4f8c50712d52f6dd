//! Moto, a third-party S3 server that checks signatures, for the tests of `s3.rs`, and a proxy in front of it that
//! injects faults.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use serde_json::Value;
use test_support::skip;

/// The server; it ends when its input is closed.
pub(crate) struct Moto {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    pub(crate) address: String,
    details: Value,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// `None`, counted as a skip, where moto is not installed.
    pub(crate) fn start() -> Option<Moto> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tests.join("../../target/s3-server");
        let python = folder.join("venv/bin/python");
        if !folder.join("stamp").exists() {
            skip("moto is not installed; `cargo xtask test` installs it into target/s3-server");
            return None;
        }
        let mut child = Command::new(python)
            .arg(tests.join("tests/s3/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let input = child.stdin.take().expect("its input");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its address");
        let details: Value = serde_json::from_str(&line).expect("JSON");
        let address = details["address"].as_str().expect("an address").to_owned();
        Some(Moto { child, pipes: Mutex::new((input, output)), address, details })
    }

    /// Runs a command with another S3 client, as an operator would.
    pub(crate) fn operator(&self, command: &str) -> Value {
        let mut pipes: MutexGuard<'_, _> = self.pipes.lock().expect("not poisoned");
        let (input, output) = &mut *pipes;
        writeln!(input, "{command}").expect("it listens");
        let mut line = String::new();
        output.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command}: {error}: {line}"))
    }

    /// The names in the storage: `objects` or `uploads`.
    pub(crate) fn list(&self, what: &str) -> Vec<String> {
        serde_json::from_value(self.operator(what)).expect("a list")
    }

    /// The keys of the `keeper`, with all permissions, or of the `stranger`, with none.
    pub(crate) fn keys(&self, who: &str) -> (String, String) {
        let text = |name: &str| self.details[who][name].as_str().expect("a key").to_owned();
        (text("id"), text("secret"))
    }

    /// The environment variables for the program, with this address.
    pub(crate) fn variables(&self, address: &str, who: &str) -> Vec<(String, String)> {
        let (id, secret) = self.keys(who);
        [("AWS_ENDPOINT_URL_S3", address), ("AWS_ACCESS_KEY_ID", &id), ("AWS_SECRET_ACCESS_KEY", &secret)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// The fault that is injected into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The request and the response are forwarded.
    Passes,
    /// The proxy answers 503, and the request is not forwarded.
    Busy,
    /// The connection is closed before the request is forwarded.
    Lost,
    /// One byte of the body is changed.
    Changed,
    /// The request is forwarded, and the response is dropped.
    Unanswered,
    /// The request is forwarded, and half of the response is returned.
    HalfAnswered,
}

/// A proxy in front of the server. `decide` selects the fate of each request by its method and its address.
pub(crate) fn way(to: &str, decide: impl Fn(&str, &str) -> Fate + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (to, decide) = (to.trim_start_matches("http://").to_owned(), Arc::new(decide));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (to, decide) = (to.clone(), Arc::clone(&decide));
            // A client that disconnects ends the connection.
            thread::spawn(move || drop(pass(stream, &to, &*decide)));
        }
    });
    address
}

fn pass(mut stream: TcpStream, to: &str, decide: &dyn Fn(&str, &str) -> Fate) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let from = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head[from..].trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let fate = decide(method, target);
    match fate {
        Fate::Lost => return Ok(()),
        Fate::Busy => {
            return stream
                .write_all(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Fate::Changed => body[length / 2] ^= 1,
        Fate::Passes | Fate::Unanswered | Fate::HalfAnswered => (),
    }
    let mut server = TcpStream::connect(to)?;
    // One request for each connection, so that the response ends with the connection.
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    match fate {
        Fate::Unanswered => Ok(()),
        Fate::HalfAnswered => {
            let head = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or_default();
            stream.write_all(&answer[..head + (answer.len() - head) / 2])
        }
        _ => stream.write_all(&answer),
    }
}
