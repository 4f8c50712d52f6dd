//! Files and folders for their owner alone: everything that the program stores is made here, whatever the process's umask is.
//! (The database's own files are made by the crate `store`, which does the same.)

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a folder, and those above it that are missing. One that exists keeps its rights.
pub fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Makes a folder that belongs to the program alone. From one that exists, others lose their rights.
pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
    create_folder(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & FOLDER_MODE))?;
    }
    Ok(())
}

/// Makes a file, which must not exist.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Opens a file to write it anew; it is made if it does not exist.
pub fn replace_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // One that was there may have had other rights.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Takes a file or a socket that something else has made from others.
pub fn own_file(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE))
}

/// Copies what is in a file, and not its rights. The copy must not exist, and is on disk afterwards.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, mut copy) = (File::open(from)?, create_file(to)?);
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_others_could_read_they_cannot_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (open, file, copy) =
            (folder.path().join("open"), folder.path().join("file"), folder.path().join("copy"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        create_folder(&open).unwrap();
        assert_eq!(mode(&open), 0o755, "a folder of others keeps its rights");
        own_folder(&open).unwrap();
        own_folder(&open.join("within/it")).unwrap();
        assert_eq!(
            (mode(&open), mode(&open.join("within")), mode(&open.join("within/it"))),
            (0o700, 0o700, 0o700)
        );
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        copy_file(&file, &copy).unwrap();
        assert_eq!((mode(&copy), fs::read_to_string(&copy).unwrap().as_str()), (0o600, "old"));
        assert!(copy_file(&file, &copy).is_err() && create_file(&copy).is_err(), "it exists");
        drop(replace_file(&file).unwrap());
        assert_eq!((mode(&file), fs::read(&file).unwrap().len()), (0o600, 0));
    }
}
