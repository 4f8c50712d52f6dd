//! A small HTTP/1.1 server on 127.0.0.1 that replays recorded exchanges and every kind of faulty response.
//!
//! Runs one [`Act`] per request, in order, and repeats the last. A hanging act waits until the server is dropped.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// The response to one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// A complete response with its length; the connection stays open.
    Reply { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// These bytes, then nothing more on the open connection.
    Hang(Vec<u8>),
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
    /// The first bytes, then the second ones repeatedly, without end.
    Trickle(Vec<u8>, Vec<u8>),
    /// The same, at the full speed of the network.
    Flood(Vec<u8>, Vec<u8>),
}

pub(crate) fn reply(status: u16, content_type: &str, body: &str) -> Act {
    Act::Reply { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
}

pub(crate) fn json(status: u16, body: &str) -> Act {
    reply(status, "application/json", body)
}

/// A complete event stream.
pub(crate) fn events(body: &str) -> Act {
    reply(200, "text/event-stream", body)
}

/// The header of an event stream without a length, and its first events.
pub(crate) fn open_stream(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<(Vec<Request>, usize)>>,
    left: Arc<Notify>,
    _open: watch::Sender<()>,
}

impl Server {
    pub(crate) async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let seen = Arc::new(Mutex::new((Vec::new(), 0)));
        let (open, closed) = watch::channel(());
        let state = seen.clone();
        let left = Arc::new(Notify::new());
        let gone = left.clone();
        tokio::spawn(async move {
            let mut end = closed.clone();
            loop {
                tokio::select! {
                    _ = end.changed() => return,
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        state.lock().expect("state").1 += 1;
                        tokio::spawn(serve(stream, acts.clone(), state.clone(), closed.clone(), gone.clone()));
                    }
                }
            }
        });
        Self { url, seen, left, _open: open }
    }

    /// Waits until a client disconnects from a hanging act.
    pub(crate) async fn left(&self) {
        self.left.notified().await;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("state").0.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().expect("state").1
    }
}

async fn serve(
    mut stream: TcpStream,
    acts: Vec<Act>,
    seen: Arc<Mutex<(Vec<Request>, usize)>>,
    mut closed: watch::Receiver<()>,
    left: Arc<Notify>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        let act = {
            let mut seen = seen.lock().expect("state");
            seen.0.push(request);
            acts.get(seen.0.len() - 1).or(acts.last()).cloned().expect("at least one act")
        };
        match act {
            Act::Reply { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let whole = [head.into_bytes(), body].concat();
                if stream.write_all(&whole).await.is_err() {
                    return;
                }
            }
            Act::Hang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                tokio::select! {
                    _ = closed.changed() => {}
                    _ = stream.read_u8() => left.notify_one(),
                }
                return;
            }
            Act::Close(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Act::Flood(first, again) => {
                let _ = stream.write_all(&first).await;
                while closed.has_changed().is_ok() && stream.write_all(&again).await.is_ok() {}
                return;
            }
            Act::Trickle(first, again) => {
                let _ = stream.write_all(&first).await;
                let mut tick = tokio::time::interval(std::time::Duration::from_millis(5));
                loop {
                    tokio::select! {
                        _ = closed.changed() => return,
                        _ = tick.tick() => if stream.write_all(&again).await.is_err() { return },
                    }
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let rest = buffer.split_off(end + 4 + length);
                let body = serde_json::from_slice(&buffer[end + 4..]).unwrap_or(Value::Null);
                *buffer = rest;
                let path = head.split_whitespace().nth(1)?.to_owned();
                return Some(Request { path, head, body });
            }
        }
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
