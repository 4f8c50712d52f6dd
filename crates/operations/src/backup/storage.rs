//! The storage of backups: a folder or a bucket, with the same operations, and the retention of backups.

use std::path::{Path, PathBuf};

use store::{Backend, BackupLock, Store, TimeUs};

use super::{
    context::{BackupContext, blocking},
    entry::{BackupEntry, Verification},
    error::Error,
    folder,
    location::Location,
    s3::Bucket,
};
use application::data_lock::DataLock;

const DAY_S: i64 = 86_400;

#[derive(Debug, Clone)]
pub(super) enum Storage {
    /// It may not exist yet.
    Folder(PathBuf),
    S3(Box<Bucket>),
}

/// Held while a backup is created; released when the process ends.
#[derive(Debug)]
pub(super) struct CreationLock {
    _folder: Option<DataLock>,
    _database: Option<BackupLock>,
}

/// The backups at a location, newest first; none if it does not exist.
///
/// # Errors
/// When the location cannot be read.
pub async fn list_backups(context: &BackupContext, location: &Location) -> Result<Vec<BackupEntry>, Error> {
    Storage::open(context, location)?.list().await
}

impl Storage {
    pub(super) fn open(context: &BackupContext, location: &Location) -> Result<Self, Error> {
        Ok(match location {
            Location::Folder(folder) => Storage::Folder(folder.clone()),
            Location::S3(address) => Storage::S3(Box::new(Bucket::open(context, address)?)),
        })
    }

    /// Waits until no other process creates a backup at this location.
    pub(super) async fn acquire_lock(
        &self,
        context: &BackupContext,
        store: &Store,
    ) -> Result<CreationLock, Error> {
        let folder = match (self, store.backend()) {
            (Storage::Folder(folder), _) => folder.clone(),
            // A bucket has no lock; the processes that share it also share the database.
            (Storage::S3(_), Backend::Sqlite) => context.config.data.dir.clone(),
            (Storage::S3(_), Backend::Postgres) => {
                return Ok(CreationLock { _folder: None, _database: Some(store.lock_backups().await?) });
            }
        };
        let lock = blocking(move || Ok(DataLock::wait_for(&folder)?)).await?;
        Ok(CreationLock { _folder: Some(lock), _database: None })
    }

    pub(super) async fn list(&self) -> Result<Vec<BackupEntry>, Error> {
        match self {
            Storage::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder::list(&folder)).await
            }
            Storage::S3(bucket) => bucket.list().await,
        }
    }

    /// Stores a file under a new name; it appears when it is complete.
    pub(super) async fn store(&self, draft: &Path, name: &str, size_bytes: u64) -> Result<(), Error> {
        match self {
            Storage::Folder(folder) => {
                let (draft, path) = (draft.to_owned(), folder.join(name));
                blocking(move || folder::store(&draft, &path)).await
            }
            Storage::S3(bucket) => bucket.upload(draft, name, size_bytes).await,
        }
    }

    pub(super) async fn store_verification(
        &self,
        name: &str,
        verification: &Verification,
    ) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(verification).unwrap_or_default();
        match self {
            Storage::Folder(folder) => {
                let path = folder.join(name);
                blocking(move || folder::store_verification(&path, &text)).await
            }
            Storage::S3(bucket) => bucket.store_verification(name, text).await,
        }
    }

    /// Deletes backups that are older than `keep_days` (0 keeps all), and returns their locations.
    pub(super) async fn delete_old(&self, keep_days: u32, now: TimeUs) -> Result<Vec<Location>, Error> {
        let mut deleted = Vec::new();
        for backup in expired(self.list().await?, keep_days, now) {
            match (self, &backup.location) {
                (Storage::S3(bucket), location) => bucket.delete(&location.name()).await?,
                (Storage::Folder(_), Location::Folder(path)) => {
                    let path = path.clone();
                    blocking(move || folder::delete(&path)).await?;
                }
                (Storage::Folder(_), Location::S3(_)) => continue,
            }
            deleted.push(backup.location);
        }
        Ok(deleted)
    }
}

/// The backups that are older than `keep_days` (0 keeps all), except the newest one and the newest verified one.
/// `backups` is sorted, newest first.
fn expired(backups: Vec<BackupEntry>, keep_days: u32, now: TimeUs) -> Vec<BackupEntry> {
    let newest_good = backups.iter().position(BackupEntry::is_verified);
    let oldest = now.plus_seconds(-i64::from(keep_days) * DAY_S);
    let is_expired = |at: usize, backup: &BackupEntry| {
        keep_days > 0 && at > 0 && Some(at) != newest_good && backup.created_at < oldest
    };
    backups
        .into_iter()
        .enumerate()
        .filter(|(at, backup)| is_expired(*at, backup))
        .map(|(_, backup)| backup)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> TimeUs {
        TimeUs::from_micros((1_800_000_000 + day * DAY_S) * 1_000_000)
    }

    #[test]
    fn newest_and_newest_verified_backup_are_kept() {
        // Days of the backups; verified ones and results; days to keep, on day 20; expired ones.
        for (days, tried, keep, goes) in [
            (vec![20, 14, 13, 12, 1], vec![], 7, vec![12, 1]),
            (vec![3, 2, 1], vec![], 7, vec![2, 1]),
            (vec![3, 2, 1], vec![(1, true), (2, true), (3, false)], 7, vec![1]),
            (vec![3, 2, 1], vec![], 0, vec![]),
            (vec![], vec![], 7, vec![]),
        ] {
            let verification = |day: i64| {
                let (_, good) = tried.iter().find(|(tried, _)| *tried == day)?;
                Some(Verification { verified_at: String::new(), good: *good, faults: vec![] })
            };
            let found = days.iter().map(|day| BackupEntry {
                location: Location::Folder(PathBuf::from(day.to_string())),
                created_at: at(*day),
                size_bytes: 1,
                encrypted: false,
                verification: verification(*day),
            });
            let gone = expired(found.collect(), keep, at(20));
            let gone: Vec<TimeUs> = gone.into_iter().map(|found| found.created_at).collect();
            assert_eq!(gone, goes.into_iter().map(at).collect::<Vec<_>>(), "{days:?}");
        }
    }
}
