//! What backups need: the settings and the clock.

use llm::SecretString;
use secrecy::ExposeSecret;

use super::{error::Error, location::Location};
use application::clock::Clock;
use config::Config;

#[derive(Debug, Clone)]
pub struct BackupContext {
    pub config: Config,
    pub clock: Clock,
}

impl BackupContext {
    pub(super) fn passphrase(&self) -> Option<&SecretString> {
        Some(&self.config.backup.passphrase).filter(|passphrase| !passphrase.expose_secret().is_empty())
    }

    /// A short random suffix for names.
    pub(super) fn unique_suffix(&self) -> String {
        let id = self.clock.new_id("x");
        id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_owned()
    }

    /// The configured location of backups.
    ///
    /// # Errors
    /// When the setting is not a location.
    pub fn location(&self) -> Result<Location, Error> {
        let dir = self.config.backup_dir();
        match dir.to_str() {
            Some(text) => text.parse().map_err(Error::Location),
            None => Ok(Location::Folder(dir)),
        }
    }
}

/// Runs file system work on a blocking thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::Service(application::Error::Internal(format!("work on a backup ended early: {error}"))))
    })
}
