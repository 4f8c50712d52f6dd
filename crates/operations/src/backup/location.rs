//! Locations of backups: a folder, or a prefix in a bucket of S3-compatible storage. This module parses names and does
//! no I/O.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::files::parent_folder;
use config::{S3_SCHEME, s3_address};

/// The location of backups, or of one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Folder(PathBuf),
    /// `s3://bucket/prefix`.
    S3(BucketPath),
}

/// A prefix or an object in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPath {
    pub(super) bucket: String,
    /// Without a slash at either end; empty for the bucket itself.
    pub(super) key: String,
}

impl BucketPath {
    pub(super) fn join(&self, name: &str) -> BucketPath {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        BucketPath { bucket: self.bucket.clone(), key }
    }

    pub(super) fn parent(&self) -> BucketPath {
        let key = self.key.rsplit_once('/').map(|(before, _)| before).unwrap_or_default();
        BucketPath { bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

impl FromStr for Location {
    type Err = String;

    /// Parses a path, or an address that begins with `s3://`.
    fn from_str(text: &str) -> Result<Self, String> {
        match s3_address(text) {
            None => Ok(Location::Folder(text.into())),
            Some(read) => read.map(|(bucket, key)| {
                Location::S3(BucketPath { bucket: bucket.to_owned(), key: key.to_owned() })
            }),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Folder(path) => write!(f, "{}", path.display()),
            Location::S3(BucketPath { bucket, key }) if key.is_empty() => write!(f, "{S3_SCHEME}{bucket}"),
            Location::S3(BucketPath { bucket, key }) => write!(f, "{S3_SCHEME}{bucket}/{key}"),
        }
    }
}

impl Location {
    pub(super) fn join(&self, name: &str) -> Location {
        match self {
            Location::Folder(folder) => Location::Folder(folder.join(name)),
            Location::S3(address) => Location::S3(address.join(name)),
        }
    }

    pub(super) fn parent(&self) -> Location {
        match self {
            Location::Folder(path) => Location::Folder(parent_folder(path)),
            Location::S3(address) => Location::S3(address.parent()),
        }
    }

    /// The last component.
    pub(super) fn name(&self) -> String {
        match self {
            Location::Folder(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Location::S3(address) => address.key.rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// The parent of staging folders: the folder itself, or `fallback` for a bucket.
    pub(super) fn staging_parent(&self, fallback: &Path) -> PathBuf {
        match self {
            Location::Folder(path) => path.clone(),
            Location::S3(_) => fallback.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_round_trips() {
        for (text, parent, name) in [
            ("s3://backups/ba/prod/x.tar.zst", "s3://backups/ba/prod", "x.tar.zst"),
            ("s3://my.backups-1/x", "s3://my.backups-1", "x"),
            ("/var/backups/x", "/var/backups", "x"),
            ("x", ".", "x"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), text);
            assert_eq!(location.parent().to_string(), parent);
            assert_eq!(location.name(), name);
            if text.contains('/') {
                assert_eq!(location.parent().join(name), location);
            }
        }
        assert_eq!("s3://abc/".parse::<Location>().unwrap().to_string(), "s3://abc");
        for wrong in ["s3://", "s3://ab", "s3://Backups/x", "s3://a_b_c", "s3://abc//x", "s3://abc/../x"] {
            assert!(wrong.parse::<Location>().unwrap_err().contains("BUCKET"), "{wrong}");
        }
    }
}
