//! Backups in a folder.

use std::{
    cmp::Reverse,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    entry::{BackupEntry, NOTE_SUFFIX, read_name},
    error::Error,
    files::{sync_parent, write_atomically},
    location::Location,
};

fn verification_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NOTE_SUFFIX);
    name.into()
}

pub(super) fn store_verification(path: &Path, text: &[u8]) -> Result<(), Error> {
    write_atomically(&verification_file(path), text)
}

/// Moves a file to a new name.
pub(super) fn store(draft: &Path, path: &Path) -> Result<(), Error> {
    // A hard link never replaces another file.
    fs::hard_link(draft, path)
        .or_else(|_| fs::rename(draft, path))
        .map_err(|error| Error::file(path, &error))?;
    sync_parent(path)
}

/// Deletes a backup and the result of its verification.
pub(super) fn delete(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|error| Error::file(path, &error))?;
    // There may be none.
    let _ = fs::remove_file(verification_file(path));
    Ok(())
}

/// The backups in a folder, newest first; none if there is no such folder.
pub(super) fn list(folder: &Path) -> Result<Vec<BackupEntry>, Error> {
    let failed = |error: io::Error| Error::file(folder, &error);
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut entries = Vec::new();
    for file in files {
        let path = file.map_err(failed)?.path();
        let named = path.file_name().and_then(|name| read_name(&name.to_string_lossy()));
        // Another process may have deleted it.
        let (Some((created_at, encrypted)), Ok(metadata)) = (named, fs::metadata(&path)) else { continue };
        let verification =
            fs::read(verification_file(&path)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        entries.push(BackupEntry {
            location: Location::Folder(path),
            created_at,
            size_bytes: metadata.len(),
            encrypted,
            verification,
        });
    }
    entries.sort_by_key(|it| Reverse((it.created_at, it.location.name())));
    Ok(entries)
}
