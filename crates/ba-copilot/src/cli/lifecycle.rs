//! How a serving process behaves: which signals it heeds, how it ends, what it reads again.
//!
//! SIGTERM or Ctrl-C: not ready, then no new requests, then the end; a second one ends it at once. SIGHUP: the level of the log is read
//! again. Nothing else of the configuration is: a process with half of an old and half of a new one would be neither.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::service_manager::ServiceManager;
use config::{ConfigError, Log, Server};
use telemetry;

/// What a serving process needs of the world outside besides its configuration.
pub(super) struct Manners {
    /// Reads again how to log.
    pub(super) read_log: Box<dyn Fn() -> Result<Log, ConfigError> + Send + Sync>,
    /// Who started it.
    pub(super) manager: ServiceManager,
}

/// The signals that are caught.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Whether the next one asks for the end; or else to read the configuration again.
    async fn next_ends(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hang_up.recv() => false,
        }
    }

    /// The next one that asks for the end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

/// How far the end has come.
#[derive(Clone, Default)]
pub(super) struct Ending {
    /// Requests are answered, and better sent elsewhere.
    pub(super) leaving: CancellationToken,
    /// No new ones are taken.
    pub(super) draining: CancellationToken,
}

impl Manners {
    /// Heeds signals. Does not return, and ends the process if it was asked to end and could not.
    pub(super) async fn heed(&self, mut signals: Signals, ending: Ending, server: &Server) {
        while !signals.next_ends().await {
            self.read_again();
        }
        let (drain, shutdown) = (Duration::from_secs(server.drain_s), Duration::from_secs(server.shutdown_s));
        self.manager.stopping();
        ending.leaving.cancel();
        let mut at_once = false;
        if !drain.is_zero() {
            tracing::info!("Ending: not ready any more, and answering as before for {} s", drain.as_secs());
            tokio::select! {
                () = signals.end() => at_once = true,
                () = sleep(drain) => (),
            }
        }
        if !at_once {
            tracing::info!("Ending: no new requests, running ones have {} s", shutdown.as_secs());
            ending.draining.cancel();
            tokio::select! {
                () = signals.end() => at_once = true,
                () = sleep(shutdown) => (),
            }
        }
        match at_once {
            true => tracing::warn!("Ending at once, as asked a second time"),
            false => tracing::warn!("Ending at once: requests were still running"),
        }
        std::process::exit(1);
    }

    fn read_again(&self) {
        self.manager.reloading();
        let told = (self.read_log)().map_err(|error| error.to_string()).and_then(|log| {
            telemetry::set_level(&log.level).map_err(|error| format!("The setting `log.level`: {error}."))?;
            Ok(log.level)
        });
        match told {
            Ok(level) => {
                tracing::info!(log.level = %level, "Read the configuration again: the log tells {level}")
            }
            Err(error) => tracing::warn!("The log stays as it was: {error}"),
        }
        self.manager.reloaded();
    }
}
