//! A backup in a listing: its name, which contains its time, and the result of its verification.

use serde::{Deserialize, Serialize};
use store::TimeUs;

use super::location::Location;
use application::clock::{parse_rfc3339, rfc3339};

const PREFIX: &str = "ba-copilot-";
/// The suffix of the file with the result of a verification.
pub(super) const NOTE_SUFFIX: &str = ".verified.json";
const PLAIN: &str = ".tar.zst";
const ENCRYPTED: &str = ".tar.zst.age";

/// A backup, described by its name and the result of its verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupEntry {
    pub location: Location,
    /// To the second.
    pub created_at: TimeUs,
    pub size_bytes: u64,
    pub encrypted: bool,
    /// The result of the last verification.
    pub verification: Option<Verification>,
}

impl BackupEntry {
    pub fn is_verified(&self) -> bool {
        self.verification.as_ref().is_some_and(|verification| verification.good)
    }
}

/// The result of a verification, stored beside the backup as `FILE.verified.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// RFC 3339, in UTC.
    pub verified_at: String,
    /// The restored database equals the one that was backed up.
    pub good: bool,
    pub faults: Vec<String>,
}

impl Verification {
    pub(super) fn at(&self) -> Option<TimeUs> {
        parse_rfc3339(&self.verified_at)
    }
}

/// The time format of file names: `20270115T080000Z`.
pub(super) fn timestamp(at: TimeUs) -> String {
    let text = rfc3339(at);
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

pub(super) fn file_name(at: TimeUs, unique: &str, encrypted: bool) -> String {
    format!("{PREFIX}{}-{unique}{}", timestamp(at), if encrypted { ENCRYPTED } else { PLAIN })
}

/// The time of a backup and whether it is encrypted, from its name; none if it is not the name of a backup.
pub(super) fn read_name(name: &str) -> Option<(TimeUs, bool)> {
    let rest = name.strip_prefix(PREFIX)?;
    let (rest, encrypted) = match (rest.strip_suffix(ENCRYPTED), rest.strip_suffix(PLAIN)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> TimeUs {
        TimeUs::from_micros((1_800_000_000 + day * 86_400) * 1_000_000)
    }

    #[test]
    fn name_contains_time_and_encryption() {
        let plain = file_name(at(0), "abc", false);
        assert_eq!(plain, "ba-copilot-20270115T080000Z-abc.tar.zst");
        assert_eq!(read_name(&plain), Some((at(0), false)));
        assert_eq!(read_name(&file_name(at(3), "x", true)), Some((at(3), true)));
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
