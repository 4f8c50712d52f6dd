//! Signals and graceful shutdown of the server.
//!
//! SIGTERM or SIGINT: first not ready, then no new requests, then exit; a second signal exits immediately. SIGHUP
//! reloads the log level. Other settings are not reloaded, because a process must not run with a mix of two
//! configurations.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::service_manager::ServiceManager;
use config::{ConfigError, Log, Server};

/// What the server needs for signals, in addition to its configuration.
pub(super) struct Lifecycle {
    /// Reads `[log]` again.
    pub(super) read_log: Box<dyn Fn() -> Result<Log, ConfigError> + Send + Sync>,
    pub(super) manager: ServiceManager,
}

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the signal handlers.
    pub(super) fn install() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Returns false for SIGHUP.
    async fn is_termination(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hang_up.recv() => false,
        }
    }

    /// Waits for SIGTERM or SIGINT.
    async fn termination(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

/// The phases of a shutdown, which other tasks wait for.
#[derive(Clone, Default)]
pub(super) struct Shutdown {
    /// `/readyz` answers 503, and requests are still accepted.
    pub(super) leaving: CancellationToken,
    /// No new requests are accepted.
    pub(super) draining: CancellationToken,
}

impl Lifecycle {
    /// Handles signals. Never returns; exits the process if the shutdown takes too long.
    pub(super) async fn handle_signals(&self, mut signals: Signals, shutdown: Shutdown, server: &Server) {
        while !signals.is_termination().await {
            self.reload_log_level();
        }
        let (drain, timeout) = (Duration::from_secs(server.drain_s), Duration::from_secs(server.shutdown_s));
        self.manager.stopping();
        shutdown.leaving.cancel();
        let mut forced = false;
        if !drain.is_zero() {
            tracing::info!("Shutting down: not ready, accepting requests for {} s", drain.as_secs());
            tokio::select! {
                () = signals.termination() => forced = true,
                () = sleep(drain) => (),
            }
        }
        if !forced {
            tracing::info!(
                "Shutting down: no new requests, waiting up to {} s for running requests",
                timeout.as_secs()
            );
            shutdown.draining.cancel();
            tokio::select! {
                () = signals.termination() => forced = true,
                () = sleep(timeout) => (),
            }
        }
        match forced {
            true => tracing::warn!("Exiting immediately after a second signal"),
            false => tracing::warn!("Exiting with running requests: the shutdown timed out"),
        }
        std::process::exit(1);
    }

    fn reload_log_level(&self) {
        self.manager.reloading();
        let result = (self.read_log)().map_err(|error| error.to_string()).and_then(|log| {
            telemetry::set_level(&log.level).map_err(|error| format!("The setting `log.level`: {error}."))?;
            Ok(log.level)
        });
        match result {
            Ok(level) => {
                tracing::info!(log.level = %level, "Reloaded the configuration: the log level is {level}")
            }
            Err(error) => tracing::warn!("The log level was not changed: {error}"),
        }
        self.manager.reloaded();
    }
}
