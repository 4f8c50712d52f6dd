//! Who uses a folder: any number of processes share it, or one has it for itself. The system forgets the lock with the process, so that
//! nothing stays locked after a crash.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::Error;
use crate::private_files;

/// A hold on a folder, for as long as it lives.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "open for as long as the lock is held")] File);

/// Opens the folder, which is made for its owner alone if it is not there.
fn open(folder: &Path) -> Result<File, Error> {
    let problem = |error: std::io::Error| Error::file(folder, &error);
    private_files::create_folder(folder).map_err(problem)?;
    File::open(folder).map_err(problem)
}

impl DataLock {
    /// With others, to use what is in it; refused while somebody replaces that.
    ///
    /// # Errors
    /// [`Error::InUse`] while a backup is restored into it.
    pub fn share(folder: &Path) -> Result<Self, Error> {
        let file = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(folder.display().to_string())),
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
    /// [`Error::InUse`] if anybody else uses it.
    pub fn own(folder: &Path) -> Result<Self, Error> {
        let file = open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(folder.display().to_string())),
            Err(TryLockError::Error(error)) => Err(Error::file(folder, &error)),
        }
    }

    /// Alone among those who make backups in a folder, when whoever does so is done. A file in it is locked, and not the folder: backups
    /// may lie in the data folder, which the one who makes them shares.
    ///
    /// # Errors
    /// When the file cannot be made, or the file system knows no locks.
    pub(super) fn wait_for(folder: &Path) -> Result<Self, Error> {
        drop(open(folder)?);
        let path = folder.join(".ba-copilot.lock");
        let problem = |error: std::io::Error| Error::file(&path, &error);
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
