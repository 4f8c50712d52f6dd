//! What is deployed, recorded in a file, and the lock that allows one deployment at a time.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{error::StepError, release::Release, slot::Slot};

const FILE: &str = "deployed.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) release: String,
    pub(super) slot: Slot,
}

impl Active {
    pub(super) fn new(release: &Release, slot: Slot) -> Self {
        Active { release: release.name.clone(), slot }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) active: Option<Active>,
    pub(super) previous: Option<String>,
    /// RFC 3339, in UTC.
    #[serde(default)]
    pub(super) since: String,
}

impl State {
    /// The default where there is no file.
    pub(super) fn read(folder: &Path) -> Result<Self, StepError> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|source| StepError::State { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(StepError::file(&path, error)),
        }
    }

    /// Replaces the file atomically.
    pub(super) fn store(&self, folder: &Path) -> Result<(), StepError> {
        let path = folder.join(FILE);
        let draft = folder.join("deployed.json.new");
        let stored = File::create(&draft).and_then(|mut file| {
            file.write_all(format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(folder)?.sync_all()
        });
        stored.map_err(|error| StepError::file(&path, error))
    }
}

/// Released when the process ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn acquire(folder: &Path) -> Result<Self, StepError> {
        let failed = |source: io::Error| StepError::DeployFolder { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let file = File::create(folder.join("deploy.lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(StepError::Locked),
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
