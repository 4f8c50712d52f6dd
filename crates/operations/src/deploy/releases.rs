//! The versions that are kept on this machine: a folder each, named after the version and what is in the program.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use super::Came;

/// The name of the program in its folder.
const PROGRAM: &str = "ba-copilot";

/// A version that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Version and the first digits of the checksum, for example `0.1.0-3f9a11c2`.
    pub name: String,
    /// What is run: a program, or an image of a container.
    pub program: PathBuf,
}

/// Where they are.
pub(super) struct Releases(PathBuf);

impl Releases {
    pub(super) fn of(folder: &Path) -> Self {
        Releases(folder.join("releases"))
    }

    /// Takes a copy of a program; the same program twice is one release. `version` is what it says of itself.
    pub(super) fn take(&self, program: &Path, version: &str) -> io::Result<Release> {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(program)?, &mut HashWriter(&mut hash))?;
        let digest: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{version}-{digest}");
        let folder = self.0.join(&name);
        let release = Release { name, program: folder.join(PROGRAM) };
        if !release.program.exists() {
            fs::create_dir_all(&folder)?;
            // Whoever runs it may be somebody else than who deploys.
            for folder in [&self.0, &folder] {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            }
            let draft = folder.join("ba-copilot.new");
            fs::copy(program, &draft)?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o755))?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, &release.program)?;
        }
        // The newest one is the one that was wanted last.
        #[expect(
            clippy::disallowed_methods,
            reason = "it is compared with what the file system has given others"
        )]
        let now = SystemTime::now();
        File::open(&release.program)?.set_modified(now)?;
        Ok(release)
    }

    /// The one that was taken last, if there is any.
    pub(super) fn newest(&self) -> Option<Release> {
        let entries = fs::read_dir(&self.0).ok()?.flatten();
        let dated = entries.filter_map(|entry| {
            let modified = fs::metadata(entry.path().join(PROGRAM)).and_then(|seen| seen.modified()).ok()?;
            Some((modified, entry.file_name().to_string_lossy().into_owned()))
        });
        self.find(&dated.max()?.1)
    }

    /// The one of this name, if it is still there.
    pub(super) fn find(&self, name: &str) -> Option<Release> {
        let program = self.0.join(name).join(PROGRAM);
        program.is_file().then(|| Release { name: name.to_owned(), program })
    }

    /// Deletes the oldest ones, so that `keep` of them stay besides those in `needed`.
    pub(super) fn delete_old(&self, keep: usize, needed: &[&str]) -> Came<Vec<String>> {
        let cannot = |error: io::Error| format!("{} cannot be tidied: {error}.", self.0.display());
        let mut others: Vec<(SystemTime, String, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let modified = fs::metadata(entry.path().join(PROGRAM)).and_then(|seen| seen.modified());
            if let (false, Ok(modified)) = (needed.contains(&name.as_str()), modified) {
                others.push((modified, name, entry.path()));
            }
        }
        others.sort();
        let too_many = others.len().saturating_sub(keep);
        let mut deleted = Vec::new();
        for (_, name, path) in others.into_iter().take(too_many) {
            fs::remove_dir_all(path).map_err(cannot)?;
            deleted.push(name);
        }
        Ok(deleted)
    }
}

/// Feeds a hash.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
