//! The sockets of the server: the public one, which may come from another process, and the private one.

use std::{io, net::SocketAddr, path::Path};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::socket_handoff::{self, Offer};
use application::standby::Standby;
use server::http::connections::Accept;

/// A listener that accepts no connections in standby. Waiting connections are accepted by another process or later.
pub(super) struct Gate {
    listener: TcpListener,
    standby: Standby,
}

impl Gate {
    pub(super) fn new(listener: TcpListener, standby: Standby) -> Self {
        Gate { listener, standby }
    }
}

impl Accept for Gate {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            self.standby.over().await;
            let mut standby = self.standby.clone();
            tokio::select! {
                accepted = self.listener.accept() => return accepted,
                () = standby.begun() => (),
            }
        }
    }
}

/// Takes the socket for `address` from a process that offers it in `folder`, or binds a new one; then offers it there
/// itself.
pub(super) async fn listen(
    address: SocketAddr,
    folder: &Path,
    draining: CancellationToken,
) -> Result<(TcpListener, Option<Offer>), Failure> {
    if folder.as_os_str().is_empty() {
        return Ok((bind(address).await?, None));
    }
    let cannot = |error: io::Error| {
        Failure::Other(format!(
            "The folder {} (server.hand_over_dir) cannot be used: {error}.",
            folder.display()
        ))
    };
    let place = folder.to_owned();
    let taken = tokio::task::spawn_blocking(move || socket_handoff::take(&place, address)).await;
    let taken = taken.map_err(|error| Failure::Other(error.to_string()))?.map_err(cannot)?;
    let listener = match taken {
        Some(socket) => {
            tracing::info!("Took over the listening socket of the running process");
            TcpListener::from_std(socket).map_err(cannot)?
        }
        None => bind(address).await?,
    };
    let socket = listener.into_std().map_err(cannot)?;
    let offer = socket_handoff::offer(folder, &socket, draining).map_err(cannot)?;
    Ok((TcpListener::from_std(socket).map_err(cannot)?, Some(offer)))
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Other(format!(
            "Cannot listen on {address}: {error}. Stop the program that uses the port, or choose another one \
             with --listen."
        ))
    })
}
