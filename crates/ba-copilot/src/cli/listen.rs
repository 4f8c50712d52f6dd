//! Where a serving process listens: the socket that people reach, which it may have been handed, and a private one.

use std::{io, net::SocketAddr, path::Path};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::socket_handoff::{self, Offer};
use application::standby::Standby;
use server::http::connections::Accept;

/// The socket that people reach; nobody is let in while the process stands by, and whoever waits is let in by another process or later.
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

/// The socket at `address`: the one of another process, if it offers it in `folder`, or a new one, which is offered there.
pub(super) async fn listen(
    address: SocketAddr,
    folder: &Path,
    ending: CancellationToken,
) -> Result<(TcpListener, Option<Offer>), Failure> {
    if folder.as_os_str().is_empty() {
        return Ok((bind(address).await?, None));
    }
    let cannot = |error: io::Error| {
        Failure::Other(format!(
            "The folder {} of the setting server.hand_over_dir cannot be used: {error}.",
            folder.display()
        ))
    };
    let place = folder.to_owned();
    let taken = tokio::task::spawn_blocking(move || socket_handoff::take(&place, address)).await;
    let taken = taken.map_err(|error| Failure::Other(error.to_string()))?.map_err(cannot)?;
    let listener = match taken {
        Some(socket) => {
            tracing::info!("The socket was taken over from the process that serves");
            TcpListener::from_std(socket).map_err(cannot)?
        }
        None => bind(address).await?,
    };
    let socket = listener.into_std().map_err(cannot)?;
    let offer = socket_handoff::offer(folder, &socket, ending).map_err(cannot)?;
    Ok((TcpListener::from_std(socket).map_err(cannot)?, Some(offer)))
}

/// A new socket.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Other(format!(
            "Cannot listen on {address}: {error}. Another program may be there; choose another with --listen."
        ))
    })
}
