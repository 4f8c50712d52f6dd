//! Backups in a folder: their names, which say when they were made, and what is known of them.

use std::{
    cmp::Reverse,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use store::TimeUs;

use super::{
    Error,
    archive::{sync_folder, write_whole},
    place::Place,
};
use application::clock::{parse_rfc3339, rfc3339};

/// All names of backups begin so.
pub(super) const PREFIX: &str = "ba-copilot-";
/// What the name of the note beside a backup ends with.
pub(super) const NOTE: &str = ".verified.json";
const PLAIN: &str = ".tar.zst";
const SEALED: &str = ".tar.zst.age";

/// A backup, as far as its name and what was noted of it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// When it was made, to the second.
    pub created_at: TimeUs,
    /// Its size.
    pub size_bytes: u64,
    /// Whether a passphrase is needed.
    pub encrypted: bool,
    /// When it was tried last, and with what result; none if never.
    pub seen: Option<Seen>,
}

impl Found {
    /// Whether it was tried, and everything in it came back.
    pub fn is_verified(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.good)
    }
}

/// What came of trying a backup; kept beside it as `FILE.verified.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// RFC 3339, in UTC.
    pub verified_at: String,
    /// Everything in it came back.
    pub good: bool,
    /// What is wrong with it.
    pub faults: Vec<String>,
}

impl Seen {
    pub(super) fn at(&self) -> Option<TimeUs> {
        parse_rfc3339(&self.verified_at)
    }
}

/// The folder that a file is in.
pub(super) fn of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A moment as names of files say it: `20270115T080000Z`.
pub(super) fn stamp(at: TimeUs) -> String {
    let text = rfc3339(at);
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

/// The name of a new backup.
pub(super) fn name(at: TimeUs, unique: &str, encrypted: bool) -> String {
    format!("{PREFIX}{}-{unique}{}", stamp(at), if encrypted { SEALED } else { PLAIN })
}

/// When a backup of this name was made, and whether it is encrypted; none for any other name.
pub(super) fn read_name(name: &str) -> Option<(TimeUs, bool)> {
    let rest = name.strip_prefix(PREFIX)?;
    let (rest, encrypted) = match (rest.strip_suffix(SEALED), rest.strip_suffix(PLAIN)) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        _ => return None,
    };
    let (at, _) = rest.split_once('-')?;
    let part = |from: usize, to: usize| at.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    Some((parse_rfc3339(&text)?, encrypted))
}

fn note(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NOTE);
    name.into()
}

/// Notes what came of trying a backup.
pub(super) fn keep_note(path: &Path, text: &[u8]) -> Result<(), Error> {
    write_whole(&note(path), text)
}

/// Puts a file there under a name that nothing has.
pub(super) fn keep(draft: &Path, path: &Path) -> Result<(), Error> {
    // Never in the place of another one.
    fs::hard_link(draft, path)
        .or_else(|_| fs::rename(draft, path))
        .map_err(|error| Error::file(path, &error))?;
    sync_folder(path)
}

/// Deletes a backup, and the note about it.
pub(super) fn delete(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|error| Error::file(path, &error))?;
    // Without its backup a note says nothing; whether it was there does not matter.
    let _ = fs::remove_file(note(path));
    Ok(())
}

/// The backups in a folder, newest first. A folder that is not there has none.
pub(super) fn list(folder: &Path) -> Result<Vec<Found>, Error> {
    let problem = |error: io::Error| Error::file(folder, &error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(problem)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(problem)?.path();
        let named = path.file_name().and_then(|name| read_name(&name.to_string_lossy()));
        // It may be gone by now: others keep the folder tidy too.
        let (Some((created_at, encrypted)), Ok(metadata)) = (named, fs::metadata(&path)) else { continue };
        let seen = fs::read(note(&path)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        found.push(Found {
            place: Place::Folder(path),
            created_at,
            size_bytes: metadata.len(),
            encrypted,
            seen,
        });
    }
    found.sort_by_key(|it| Reverse((it.created_at, it.place.name())));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> TimeUs {
        TimeUs::from_micros((1_800_000_000 + day * 86_400) * 1_000_000)
    }

    #[test]
    fn names_say_when_and_how() {
        let plain = name(at(0), "abc", false);
        assert_eq!(plain, "ba-copilot-20270115T080000Z-abc.tar.zst");
        assert_eq!(read_name(&plain), Some((at(0), false)));
        assert_eq!(read_name(&name(at(3), "x", true)), Some((at(3), true)));
        for other in [
            "",
            "ba-copilot-",
            "ba-copilot-2027-x.tar.zst",
            &format!("{plain}.verified.json"),
            &format!("{plain}.part"),
        ] {
            assert_eq!(read_name(other), None, "{other}");
        }
    }
}
