//! Who uses a folder: any number of processes share it, or one has it for itself. The system forgets the lock with the process, so that
//! nothing stays locked after a crash.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::private_files;

/// Why a folder could not be locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataLockError {
    /// Another process holds a lock that excludes this one.
    #[error("{0} is in use; stop the servers first, then try again.")]
    InUse(String),
    /// The file system refused.
    #[error("{path} cannot be used: {problem}. Check the name, the permissions and the free space.")]
    File {
        /// The folder or file.
        path: String,
        /// The message of the system.
        problem: String,
    },
}

impl DataLockError {
    fn file(path: &Path, error: &std::io::Error) -> Self {
        DataLockError::File { path: path.display().to_string(), problem: error.to_string() }
    }
}

/// A lock on a folder, released when it is dropped.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "open for as long as the lock is held")] File);

/// Opens the folder, which is made for its owner alone if it is not there.
fn open(folder: &Path) -> Result<File, DataLockError> {
    let problem = |error: std::io::Error| DataLockError::file(folder, &error);
    private_files::create_folder(folder).map_err(problem)?;
    File::open(folder).map_err(problem)
}

impl DataLock {
    /// With others, to use what is in it; refused while somebody replaces that.
    ///
    /// # Errors
    /// [`DataLockError::InUse`] while a backup is restored into it.
    pub fn share(folder: &Path) -> Result<Self, DataLockError> {
        let file = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(DataLockError::InUse(folder.display().to_string())),
            // On a network share that knows no locks, a restore refuses instead.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "The data folder cannot be locked, so restoring a backup will not notice this process: {error}"
                );
            }
        }
        Ok(DataLock(file))
    }

    /// Alone, to replace what is in it.
    ///
    /// # Errors
    /// [`DataLockError::InUse`] if anybody else uses it.
    pub fn own(folder: &Path) -> Result<Self, DataLockError> {
        let file = open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => Err(DataLockError::InUse(folder.display().to_string())),
            Err(TryLockError::Error(error)) => Err(DataLockError::file(folder, &error)),
        }
    }

    /// Alone among those who make backups in a folder, when whoever does so is done. A file in it is locked, and not the folder: backups
    /// may lie in the data folder, which the one who makes them shares.
    pub fn wait_for(folder: &Path) -> Result<Self, DataLockError> {
        drop(open(folder)?);
        let path = folder.join(".ba-copilot.lock");
        let problem = |error: std::io::Error| DataLockError::file(&path, &error);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(problem)?;
        file.lock().map_err(problem)?;
        Ok(DataLock(file))
    }
}
