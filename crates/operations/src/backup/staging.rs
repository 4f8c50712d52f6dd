//! A folder for what is being made or tried: beside where it goes, for its owner alone, gone when it is not needed any more.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{Error, Site};
use application::private_files;

const PREFIX: &str = ".ba-copilot-";

/// A folder that goes when this goes. It is locked meanwhile, which tells it from what a killed process left behind.
pub(super) struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    /// Makes one in `folder`, and removes what killed processes left there.
    pub(super) fn new(site: &Site, folder: &Path) -> Result<Self, Error> {
        let problem = |error: io::Error| Error::file(folder, &error);
        private_files::create_folder(folder).map_err(problem)?;
        remove_left_behind(folder, site).map_err(problem)?;
        let path = folder.join(format!("{PREFIX}{}", site.unique()));
        DirBuilder::new().mode(0o700).create(&path).map_err(problem)?;
        let lock = File::open(&path).map_err(problem)?;
        lock.lock().map_err(problem)?;
        Ok(Staging { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("A temporary folder of a backup could not be removed: {error}");
        }
    }
}

fn remove_left_behind(folder: &Path, site: &Site) -> io::Result<()> {
    let now = u64::try_from(site.clock.now_us().as_micros()).unwrap_or_default() / 1_000_000;
    for entry in fs::read_dir(folder)?.flatten() {
        let left = entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.path().is_dir();
        // Between making a folder and locking it there is a moment.
        let made = entry.metadata().and_then(|it| it.modified()).ok();
        let made = made.and_then(|it| it.duration_since(UNIX_EPOCH).ok()).map(|it| it.as_secs());
        let old = made.is_some_and(|made| made + 60 < now);
        if left && old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
