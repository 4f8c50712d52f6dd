//! A temporary folder in which a backup is created or verified. Only its owner can access it.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{context::BackupContext, error::Error};
use application::private_files;

const PREFIX: &str = ".ba-copilot-";
/// How long it may take to lock a new folder.
const LOCK_DELAY_S: u64 = 60;

/// Deleted when dropped. It is locked, which tells it from a folder that a killed process left behind.
pub(super) struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    /// Creates one in `folder`, and deletes those of killed processes there.
    pub(super) fn new(context: &BackupContext, folder: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::file(folder, &error);
        private_files::create_folder(folder).map_err(failed)?;
        delete_abandoned(folder, context).map_err(failed)?;
        let path = folder.join(format!("{PREFIX}{}", context.unique_suffix()));
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let lock = File::open(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Staging { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("A temporary folder of a backup could not be deleted: {error}");
        }
    }
}

fn delete_abandoned(folder: &Path, context: &BackupContext) -> io::Result<()> {
    let now = u64::try_from(context.clock.now_us().as_micros()).unwrap_or_default() / 1_000_000;
    for entry in fs::read_dir(folder)?.flatten() {
        let is_staging = entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.path().is_dir();
        // A new folder is not locked yet.
        let created = entry.metadata().and_then(|it| it.modified()).ok();
        let created = created.and_then(|it| it.duration_since(UNIX_EPOCH).ok()).map(|it| it.as_secs());
        let is_old = created.is_some_and(|created| created + LOCK_DELAY_S < now);
        if is_staging && is_old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
