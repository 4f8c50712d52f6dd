//! Tells the service manager (systemd, `Type=notify` or `notify-reload`) how far this process is, as `sd_notify` does. Says nothing to anybody else,
//! and never fails: a server that nobody manages serves all the same.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use config::Environment;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    way: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process.
    pub(crate) fn of(environment: &Environment) -> Self {
        let address = environment.notify_socket().and_then(|name| match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        let way = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        ServiceManager { way, watchdog: environment.watchdog() }
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.way
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!("The service manager does not listen: {error}");
        }
    }

    /// Requests are answered.
    pub(crate) fn ready(&self, address: std::net::SocketAddr) {
        self.tell(&format!("READY=1\nSTATUS=Serving http://{address}\n"));
    }

    /// The configuration is read again; [`ServiceManager::reloaded`] follows.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// It was read.
    pub(crate) fn reloaded(&self) {
        self.tell("READY=1\n");
    }

    /// The process is ending.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Answering what is under way\n");
    }

    /// Says that the process still works, twice as often as is asked for, until `ended`. A process whose threads are stuck does not
    /// come to say it.
    pub(crate) async fn keep_alive(&self, ended: CancellationToken) {
        let Some(every) = self.watchdog else { return };
        let mut tick = tokio::time::interval(every / 2);
        while ended.run_until_cancelled(tick.tick()).await.is_some() {
            self.tell("WATCHDOG=1\n");
        }
    }
}
