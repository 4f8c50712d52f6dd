//! Files and folders accessible only to their owner, independent of the umask. All files of the program are created
//! here. (Database files are created by the crate `store`, in the same way.)

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates a folder and its missing parents. The permissions of an existing one do not change.
pub fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Creates a folder that only the program uses. Permissions of other users on an existing one are removed.
pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
    create_folder(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & FOLDER_MODE))?;
    }
    Ok(())
}

/// Creates a file, which must not exist.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Creates or truncates a file.
pub fn replace_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // An existing file may have had wider permissions.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Removes the permissions of other users from a file or socket created by other code.
pub fn own_file(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE))
}

/// Copies the content of a file, not its permissions. The copy must not exist; it is synced to disk.
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
    fn permissions_of_others_are_removed() {
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
