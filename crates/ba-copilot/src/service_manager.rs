//! Notifies the service manager (systemd, `Type=notify` or `notify-reload`) of the state of this process, with the
//! protocol of `sd_notify`. Without a service manager it does nothing; errors are logged, because a server works
//! without notifications.
//!
//! The crate `sd-notify` does not connect to abstract sockets (`@…`), and reads the environment, which only `config`
//! does.

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

#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let address = environment.notify_socket().and_then(|name| match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        ServiceManager { socket, watchdog: environment.watchdog() }
    }

    fn notify(&self, state: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!("The service manager could not be notified: {error}");
        }
    }

    /// The server accepts requests.
    pub(crate) fn ready(&self, address: std::net::SocketAddr) {
        self.notify(&format!("READY=1\nSTATUS=Serving http://{address}\n"));
    }

    /// The configuration is being reloaded; [`ServiceManager::reloaded`] follows.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    pub(crate) fn reloaded(&self) {
        self.notify("READY=1\n");
    }

    pub(crate) fn stopping(&self) {
        self.notify("STOPPING=1\nSTATUS=Finishing requests\n");
    }

    /// Sends watchdog notifications at twice the required rate until `ended`. They stop when the threads of the process
    /// hang.
    pub(crate) async fn keep_alive(&self, ended: CancellationToken) {
        let Some(every) = self.watchdog else { return };
        let mut tick = tokio::time::interval(every / 2);
        while ended.run_until_cancelled(tick.tick()).await.is_some() {
            self.notify("WATCHDOG=1\n");
        }
    }
}
