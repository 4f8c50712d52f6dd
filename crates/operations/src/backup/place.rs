//! Where backups are said to lie: a folder, or a part of a bucket of S3-compatible storage. Only reads names; never looks whether
//! anything is there.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::folder;
use config::{S3_SCHEME, s3_address};

/// A place for backups, or that of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder, or a file.
    Folder(PathBuf),
    /// `s3://bucket/prefix`, or an object.
    S3(Address),
}

/// A part of a bucket, or an object in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) bucket: String,
    /// Without a slash at either end; empty for the bucket itself.
    pub(super) key: String,
}

impl Address {
    pub(super) fn join(&self, name: &str) -> Address {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Address { bucket: self.bucket.clone(), key }
    }

    pub(super) fn parent(&self) -> Address {
        let key = self.key.rsplit_once('/').map(|(before, _)| before).unwrap_or_default();
        Address { bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

impl FromStr for Place {
    type Err = String;

    /// Reads what people write: a path, or an address that begins with `s3://`.
    fn from_str(text: &str) -> Result<Self, String> {
        match s3_address(text) {
            None => Ok(Place::Folder(text.into())),
            Some(read) => read
                .map(|(bucket, key)| Place::S3(Address { bucket: bucket.to_owned(), key: key.to_owned() })),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::S3(Address { bucket, key }) if key.is_empty() => write!(f, "{S3_SCHEME}{bucket}"),
            Place::S3(Address { bucket, key }) => write!(f, "{S3_SCHEME}{bucket}/{key}"),
        }
    }
}

impl Place {
    /// What has this name in it.
    pub(super) fn join(&self, name: &str) -> Place {
        match self {
            Place::Folder(folder) => Place::Folder(folder.join(name)),
            Place::S3(address) => Place::S3(address.join(name)),
        }
    }

    /// Where it lies.
    pub(super) fn parent(&self) -> Place {
        match self {
            Place::Folder(path) => Place::Folder(folder::of(path)),
            Place::S3(address) => Place::S3(address.parent()),
        }
    }

    /// Its name, without where it lies.
    pub(super) fn name(&self) -> String {
        match self {
            Place::Folder(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Place::S3(address) => address.key.rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// The folder in which it is worked on: its own, or else this one.
    pub(super) fn workshop(&self, else_in: &Path) -> PathBuf {
        match self {
            Place::Folder(path) => path.clone(),
            Place::S3(_) => else_in.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written_alike() {
        for (text, parent, name) in [
            ("s3://backups/ba/prod/x.tar.zst", "s3://backups/ba/prod", "x.tar.zst"),
            ("s3://my.backups-1/x", "s3://my.backups-1", "x"),
            ("/var/backups/x", "/var/backups", "x"),
            ("x", ".", "x"),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(place.parent().to_string(), parent);
            assert_eq!(place.name(), name);
            if text.contains('/') {
                assert_eq!(place.parent().join(name), place);
            }
        }
        assert_eq!("s3://abc/".parse::<Place>().unwrap().to_string(), "s3://abc");
        for wrong in ["s3://", "s3://ab", "s3://Backups/x", "s3://a_b_c", "s3://abc//x", "s3://abc/../x"] {
            assert!(wrong.parse::<Place>().unwrap_err().contains("BUCKET"), "{wrong}");
        }
    }
}
