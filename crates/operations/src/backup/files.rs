//! Files that are complete on disk or absent.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::error::Error;
use application::private_files;

/// The folder that contains a path.
pub(super) fn parent_folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes a file under a temporary name and renames it.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: io::Error| Error::file(path, &error);
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = Path::new(&draft);
    let mut file = private_files::replace_file(draft).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(draft, path).map_err(failed)?;
    sync_parent(path)
}

/// Makes the name of a file durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), Error> {
    let folder = parent_folder(path);
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(&folder, &error))
}
