//! Whether a process serves, or stands by: it runs beside the one that serves, can be looked at, and takes no work.
//!
//! It stands by for as long as a file is there. A file and not a signal: a process that is started again, for whatever reason, is
//! then what it was before. Never writes that file; whoever deploys does.

use std::{path::PathBuf, time::Duration};

use tokio::{sync::watch, time::sleep};

/// How often it is looked whether the file is there.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Whether this process stands by.
#[derive(Debug, Clone)]
pub struct Standby {
    on: watch::Receiver<bool>,
}

impl Default for Standby {
    /// Never.
    fn default() -> Self {
        Standby { on: watch::channel(false).1 }
    }
}

impl Standby {
    /// While `file` is there, which is looked at until the process ends; never, if it is not named.
    pub fn while_there(file: PathBuf) -> Self {
        if file.as_os_str().is_empty() {
            return Standby::default();
        }
        let (sender, on) = watch::channel(file.exists());
        if *on.borrow() {
            tracing::info!("Standing by: no work is taken while {} is there", file.display());
        }
        tokio::spawn(async move {
            while !sender.is_closed() {
                sleep(POLL_INTERVAL).await;
                // What cannot be looked at stays as it was: a folder that is away for a moment changes nothing.
                let Ok(is_there) = tokio::fs::try_exists(&file).await else { continue };
                let changed = sender.send_if_modified(|was| std::mem::replace(was, is_there) != is_there);
                match (changed, is_there) {
                    (true, true) => tracing::info!("Standing by: no new work is taken"),
                    (true, false) => tracing::info!("In service"),
                    (false, _) => (),
                }
            }
        });
        Standby { on }
    }

    /// Whether it stands by now.
    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Returns when it does not stand by, which may be at once.
    pub async fn over(&mut self) {
        self.becomes(false).await;
    }

    /// Returns when it stands by, which may be at once.
    pub async fn begun(&mut self) {
        self.becomes(true).await;
    }

    async fn becomes(&mut self, wanted: bool) {
        if self.on.wait_for(|on| *on == wanted).await.is_err() {
            // Nobody looks any more, so it stays as it is.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_decides() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("standby");
        std::fs::write(&file, "").expect("written");
        let mut standby = Standby::while_there(file.clone());
        assert!(standby.is_on());
        standby.begun().await;
        std::fs::remove_file(&file).expect("removed");
        standby.over().await;
        assert!(!standby.is_on());
        std::fs::write(&file, "").expect("written");
        standby.begun().await;
        assert!(!Standby::while_there(PathBuf::new()).is_on());
    }
}
