//! Where backups lie: their names, which say when they were made; what is known of them; and which are kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use store::TimeUs;

use super::{Error, archive::write_whole};
use crate::clock::{read_rfc3339, rfc3339};

const PREFIX: &str = "ba-copilot-";
const PLAIN: &str = ".tar.zst";
const SEALED: &str = ".tar.zst.age";
const DAY_S: i64 = 86_400;

/// A backup in a folder, as far as its name and what was noted of it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// When it was made, to the second.
    pub created_at: TimeUs,
    /// The size of the file.
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
        read_rfc3339(&self.verified_at)
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
fn read_name(name: &str) -> Option<(TimeUs, bool)> {
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
    Some((read_rfc3339(&text)?, encrypted))
}

fn note(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".verified.json");
    name.into()
}

/// Notes what came of trying a backup.
pub(super) fn keep_note(path: &Path, seen: &Seen) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(seen).unwrap_or_default();
    write_whole(&note(path), &text)
}

/// The backups in a folder, newest first. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_backups(folder: &Path) -> Result<Vec<Found>, Error> {
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
        found.push(Found { path, created_at, size_bytes: metadata.len(), encrypted, seen });
    }
    found.sort_by(|a, b| (b.created_at, &b.path).cmp(&(a.created_at, &a.path)));
    Ok(found)
}

/// Deletes what is older than so many days (0: nothing), but never the newest one, nor the newest one that was tried and good. Returns
/// what went.
pub(super) fn delete_old(folder: &Path, keep_days: u32, now: TimeUs) -> Result<Vec<PathBuf>, Error> {
    let backups = list_backups(folder)?;
    let newest_good = backups.iter().position(Found::is_verified);
    let oldest = now.plus_seconds(-i64::from(keep_days) * DAY_S);
    let mut gone = Vec::new();
    for (at, backup) in backups.into_iter().enumerate() {
        if keep_days == 0 || at == 0 || Some(at) == newest_good || backup.created_at >= oldest {
            continue;
        }
        fs::remove_file(&backup.path).map_err(|error| Error::file(&backup.path, &error))?;
        // Without its backup a note says nothing; whether it was there does not matter.
        let _ = fs::remove_file(note(&backup.path));
        gone.push(backup.path);
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> TimeUs {
        TimeUs::from_micros((1_800_000_000 + day * DAY_S) * 1_000_000)
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

    #[test]
    fn the_newest_and_the_newest_good_one_are_never_deleted() {
        let good = Seen { verified_at: rfc3339(at(1)), good: true, faults: vec![] };
        let bad = Seen { good: false, ..good.clone() };
        // Days on which backups were made; which were tried; how many days are kept on day 20; what is left.
        for (days, tried, keep, left) in [
            (vec![1, 12, 13, 14, 20], vec![], 7, vec![20, 14, 13]),
            (vec![1, 2, 3], vec![], 7, vec![3]),
            (vec![1, 2, 3], vec![(1, &good), (2, &good), (3, &bad)], 7, vec![3, 2]),
            (vec![1, 2, 3], vec![], 0, vec![3, 2, 1]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for day in &days {
                fs::write(folder.path().join(name(at(*day), "x", false)), "x").unwrap();
            }
            for (day, seen) in &tried {
                keep_note(&folder.path().join(name(at(*day), "x", false)), seen).unwrap();
            }
            fs::write(folder.path().join("notes.txt"), "mine").unwrap();
            let gone = delete_old(folder.path(), keep, at(20)).unwrap();
            assert_eq!(gone.len(), days.len() - left.len(), "{days:?}");
            let there: Vec<TimeUs> =
                list_backups(folder.path()).unwrap().into_iter().map(|found| found.created_at).collect();
            assert_eq!(there, left.into_iter().map(at).collect::<Vec<_>>(), "{days:?}");
            assert!(folder.path().join("notes.txt").exists());
        }
    }
}
