//! The versions stored on this machine, each in a folder named after its version and the checksum of the program.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use super::error::StepError;

const PROGRAM: &str = "ba-copilot";

/// A version that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Version and the first digits of the checksum, for example `0.1.0-3f9a11c2`.
    pub name: String,
    pub program: PathBuf,
}

pub(super) struct Releases(PathBuf);

impl Releases {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Releases(folder.join("releases"))
    }

    /// Stores a copy of a program. Storing the same program again gives the same release.
    pub(super) fn store(&self, program: &Path, version: &str) -> io::Result<Release> {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(program)?, &mut HashWriter(&mut hash))?;
        let digest: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{version}-{digest}");
        let folder = self.0.join(&name);
        let release = Release { name, program: folder.join(PROGRAM) };
        if !release.program.exists() {
            fs::create_dir_all(&folder)?;
            // The user that serves can differ from the user that deploys.
            for folder in [&self.0, &folder] {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            }
            let draft = folder.join("ba-copilot.new");
            fs::copy(program, &draft)?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o755))?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, &release.program)?;
        }
        // The newest release is the one that was deployed last.
        #[expect(clippy::disallowed_methods, reason = "it is compared with times of the file system")]
        let now = SystemTime::now();
        File::open(&release.program)?.set_modified(now)?;
        Ok(release)
    }

    /// The release that was stored last.
    pub(super) fn newest(&self) -> Option<Release> {
        let entries = fs::read_dir(&self.0).ok()?.flatten();
        let dated = entries.filter_map(|entry| {
            let modified = fs::metadata(entry.path().join(PROGRAM)).and_then(|seen| seen.modified()).ok()?;
            Some((modified, entry.file_name().to_string_lossy().into_owned()))
        });
        self.find(&dated.max()?.1)
    }

    pub(super) fn find(&self, name: &str) -> Option<Release> {
        let program = self.0.join(name).join(PROGRAM);
        program.is_file().then(|| Release { name: name.to_owned(), program })
    }

    /// Deletes the oldest releases so that `keep` of them stay besides those in `needed`. Returns the names of the
    /// deleted ones.
    pub(super) fn delete_old(&self, keep: usize, needed: &[&str]) -> Result<Vec<String>, StepError> {
        let failed = |error: io::Error| StepError::file(&self.0, error);
        let mut others: Vec<(SystemTime, String, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
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
            fs::remove_dir_all(path).map_err(failed)?;
            deleted.push(name);
        }
        Ok(deleted)
    }
}

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
