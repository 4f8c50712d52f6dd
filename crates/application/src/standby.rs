//! Standby mode: a process runs beside the serving one, answers health checks, and takes no work.
//!
//! Standby lasts while a marker file exists. It is a file, not a signal, so that a restarted process keeps its mode.
//! Only deployment tools write the file.

use std::{path::PathBuf, time::Duration};

use tokio::{sync::watch, time::sleep};

const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub struct Standby {
    on: watch::Receiver<bool>,
}

impl Default for Standby {
    /// Not on standby.
    fn default() -> Self {
        Standby { on: watch::channel(false).1 }
    }
}

impl Standby {
    /// On standby while `file` exists; polls the file until the process ends.
    pub fn while_exists(file: PathBuf) -> Self {
        if file.as_os_str().is_empty() {
            return Standby::default();
        }
        let (sender, on) = watch::channel(file.exists());
        if *on.borrow() {
            tracing::info!("Standby: no work is taken while {} exists", file.display());
        }
        tokio::spawn(async move {
            while !sender.is_closed() {
                sleep(POLL_INTERVAL).await;
                // An error keeps the state: an unavailable folder changes nothing.
                let Ok(is_there) = tokio::fs::try_exists(&file).await else { continue };
                let changed = sender.send_if_modified(|was| std::mem::replace(was, is_there) != is_there);
                match (changed, is_there) {
                    (true, true) => tracing::info!("Standby: no new work is taken"),
                    (true, false) => tracing::info!("In service"),
                    (false, _) => (),
                }
            }
        });
        Standby { on }
    }

    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Waits until the process is not on standby.
    pub async fn over(&mut self) {
        self.becomes(false).await;
    }

    /// Waits until the process is on standby.
    pub async fn begun(&mut self) {
        self.becomes(true).await;
    }

    async fn becomes(&mut self, wanted: bool) {
        if self.on.wait_for(|on| *on == wanted).await.is_err() {
            // The watcher has ended, so the state does not change any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marker_file_controls_standby() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("standby");
        std::fs::write(&file, "").expect("written");
        let mut standby = Standby::while_exists(file.clone());
        assert!(standby.is_on());
        standby.begun().await;
        std::fs::remove_file(&file).expect("removed");
        standby.over().await;
        assert!(!standby.is_on());
        std::fs::write(&file, "").expect("written");
        standby.begun().await;
        assert!(!Standby::while_exists(PathBuf::new()).is_on());
    }
}
