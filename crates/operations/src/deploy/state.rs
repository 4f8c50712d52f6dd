//! What was deployed, in a file beside it, and the lock by which only one deployment goes on at a time.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Slot, releases::Release};

/// The name of the file.
const FILE: &str = "deployed.json";

/// A version in its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) release: String,
    pub(super) slot: Slot,
}

impl Active {
    pub(super) fn of(release: &Release, slot: Slot) -> Self {
        Active { release: release.name.clone(), slot }
    }
}

/// What serves, and what served before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) active: Option<Active>,
    pub(super) previous: Option<String>,
    /// RFC 3339, in UTC.
    #[serde(default)]
    pub(super) since: String,
}

impl State {
    /// What the file says; nothing where there is none.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                format!(
                    "{} cannot be read ({error}). It says which slot serves; put it back from a copy, or write it anew.",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(format!("{} cannot be read: {error}.", path.display())),
        }
    }

    /// Writes the file, whole or not at all.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(FILE);
        let draft = folder.join("deployed.json.new");
        let kept = File::create(&draft).and_then(|mut file| {
            file.write_all(format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(folder)?.sync_all()
        });
        kept.map_err(|error| format!("{} cannot be written: {error}.", path.display()))
    }
}

/// Held by the deployment that goes on; given back when the process ends, however it ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, String> {
        let cannot = |error: &dyn std::fmt::Display| {
            format!(
                "The folder {} cannot be used: {error}. Make it, or name another one in the setting deploy.dir.",
                folder.display()
            )
        };
        fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
        let path: PathBuf = folder.join("deploy.lock");
        let file = File::create(&path).map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => {
                Err("Another deployment goes on here. Wait until it is over.".to_owned())
            }
            Err(fs::TryLockError::Error(error)) => Err(cannot(&error)),
        }
    }
}
