//! Connections: accepted, served, and closed when they are too slow or too many.
//!
//! axum's own `serve` has no time limits, so hyper is driven here. Limited are the time for headers, for a body,
//! for an idle connection and for a response that is not read, and the number of connections, in total and by
//! network. A request that was read completely is never cut, because generations and event streams may last long.
//!
//! Read next: `registry.rs` (all connections, and which one is closed), `body.rs` and `io.rs` (the time limits).

mod body;
mod io;
mod registry;

use std::{
    io::{Error, ErrorKind, Write as _},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::http::guarded_body::GuardedBody;
pub use registry::ConnectionLimits;
use registry::{Connection, Registry};

pub(crate) use body::BodyWatch;

/// How often connections are checked for time limits.
const SWEEP: Duration = Duration::from_millis(500);
/// How long to wait after the system had no resources for a new connection.
const BACK_OFF: Duration = Duration::from_millis(100);
/// A lack of resources is logged at most once in this time.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Maximum bytes of request line and headers.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The response to a connection over the limit.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
content-type: application/problem+json\r\n\
connection: close\r\n\
retry-after: 5\r\n\
content-length: 194\r\n\r\n\
{\"type\":\"/docs#too_many_connections\",\"title\":\"Service Unavailable\",\"status\":503,\
\"code\":\"too_many_connections\",\"request_id\":\"\",\
\"detail\":\"All connections of this server are in use. Retry in 5 s.\"}";

/// A source of connections.
pub trait Accept: Send {
    fn accept(&mut self) -> impl Future<Output = Result<(TcpStream, SocketAddr), Error>> + Send;
}

/// Serves connections until `ended`; returns when all of them are closed.
pub async fn serve(
    mut from: impl Accept,
    routes: Router,
    limits: ConnectionLimits,
    ended: CancellationToken,
) {
    let registry = Arc::new(Registry::new(limits));
    let sweeping = tokio::spawn(sweep(Arc::clone(&registry)));
    let tasks = TaskTracker::new();
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = from.accept() => accepted,
            () = ended.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match registry.admit(peer.ip()) {
                Some(connection) => {
                    // Events are small and must not wait for one another.
                    let _ = stream.set_nodelay(true);
                    tasks.spawn(serve_one(stream, peer, routes.clone(), connection, ended.clone()));
                }
                None => refuse(stream),
            },
            Err(error) if is_of_one_connection(&error) => (),
            Err(error) => {
                // The system has no file or memory for a new connection: an idle one is closed, and accepting is
                // retried later.
                registry.make_room();
                if warned.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                    warned = Some(Instant::now());
                    tracing::warn!(
                        "A connection could not be accepted: {error}. Allow more open files (LimitNOFILE= in systemd, \
                         ulimits in Compose)."
                    );
                }
                tokio::select! {
                    () = sleep(BACK_OFF) => (),
                    () = ended.cancelled() => break,
                }
            }
        }
    }
    drop(from);
    tasks.close();
    tasks.wait().await;
    sweeping.abort();
}

/// Answers a connection over the limit. The response fits into the empty buffer of a new connection; a connection
/// that does not accept it is closed without.
fn refuse(stream: TcpStream) {
    metrics::counter!("ba_copilot_connections_closed_total", "reason" => "refused").increment(1);
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

/// The caller closed its connection before it was accepted, or a firewall refused it. The next connection may succeed.
fn is_of_one_connection(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::Interrupted
            | ErrorKind::NetworkUnreachable
            | ErrorKind::PermissionDenied
            | ErrorKind::TimedOut
    )
}

async fn sweep(registry: Arc<Registry>) {
    let mut tick = interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        registry.close_overdue();
    }
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    connection: Arc<Connection>,
    ended: CancellationToken,
) {
    let ending = registry::Ended(Arc::clone(&connection));
    let io = TokioIo::new(io::Timed::new(stream, Arc::clone(&connection)));
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (mut parts, incoming) = request.into_parts();
        let watch = BodyWatch::default();
        parts.extensions.insert(ConnectInfo(peer));
        parts.extensions.insert(watch.clone());
        let awaited = connection.begin_request(&incoming);
        let body = Body::new(body::Received::new(incoming, Arc::clone(&connection), watch));
        let answering = routes.call(Request::from_parts(parts, body));
        let connection = Arc::clone(&connection);
        async move {
            if !awaited {
                // It was closed meanwhile: a request whose response cannot be sent is not carried out.
                std::future::pending::<()>().await;
            }
            let guarded = |body| GuardedBody::new(body, body::EndAnswer(connection));
            answering.await.map(|response| response.map(guarded))
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES);
    let mut serving = pin!(builder.serve_connection(io, service));
    let mut leaving = false;
    loop {
        tokio::select! {
            // Errors are the caller's: it disconnected, or sent something other than HTTP, which hyper has answered.
            _ = serving.as_mut() => break,
            () = connection.closed() => break,
            () = ended.cancelled(), if !leaving => {
                leaving = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
    if let Some(reason) = connection.why_closed() {
        metrics::counter!("ba_copilot_connections_closed_total", "reason" => reason).increment(1);
        tracing::debug!("A connection was closed: {reason}");
    }
    drop(ending);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_for_a_connection_too_many_is_whole() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], 503);
    }
}
