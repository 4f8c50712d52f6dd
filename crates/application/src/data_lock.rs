//! Lock of the data folder: shared by servers, exclusive for a restore. The operating system releases it when the
//! process ends, also after a crash.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::private_files;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataLockError {
    #[error("{0} is in use; stop the servers first, then try again.")]
    InUse(String),
    #[error("{path} cannot be used: {problem}. Check the name, the permissions and the free space.")]
    File { path: String, problem: String },
}

impl DataLockError {
    fn file(path: &Path, error: &std::io::Error) -> Self {
        DataLockError::File { path: path.display().to_string(), problem: error.to_string() }
    }
}

/// Released when dropped.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "open for as long as the lock is held")] File);

/// Opens the folder, which is created for its owner only if missing.
fn open(folder: &Path) -> Result<File, DataLockError> {
    let problem = |error: std::io::Error| DataLockError::file(folder, &error);
    private_files::create_folder(folder).map_err(problem)?;
    File::open(folder).map_err(problem)
}

impl DataLock {
    /// Locks the folder for shared use.
    ///
    /// # Errors
    ///
    /// [`DataLockError::InUse`] while a backup is restored into it.
    pub fn share(folder: &Path) -> Result<Self, DataLockError> {
        let file = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(DataLockError::InUse(folder.display().to_string())),
            // On a network share without locks, the restore refuses instead.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "The data folder cannot be locked, so a restore cannot detect this process: {error}"
                );
            }
        }
        Ok(DataLock(file))
    }

    /// Locks the folder exclusively, to replace its content.
    ///
    /// # Errors
    ///
    /// [`DataLockError::InUse`] if another process uses it.
    pub fn own(folder: &Path) -> Result<Self, DataLockError> {
        let file = open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => Err(DataLockError::InUse(folder.display().to_string())),
            Err(TryLockError::Error(error)) => Err(DataLockError::file(folder, &error)),
        }
    }

    /// Waits for the exclusive lock of a backup folder. The lock is on a file in it, not on the folder: a backup
    /// folder may be inside the data folder, which the same process has locked as shared.
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
