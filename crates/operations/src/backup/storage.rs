//! What holds backups: a folder, or a part of a bucket. The same few things can be done with either, and which are kept is decided here.

use std::path::{Path, PathBuf};

use store::{Backend, BackupLock, Store, TimeUs};

use super::{
    Error, Site, blocking,
    folder::{self, Found, Seen},
    place::Place,
    s3::Bucket,
};
use application::data_lock::DataLock;

const DAY_S: i64 = 86_400;

/// A place that can be reached.
#[derive(Debug, Clone)]
pub(super) enum Storage {
    /// A folder, which may not be there yet.
    Folder(PathBuf),
    /// A part of a bucket.
    S3(Box<Bucket>),
}

/// The turn of one who makes a backup. Gone with the process that has it.
#[derive(Debug)]
pub(super) struct OneAtATime {
    _folder: Option<DataLock>,
    _database: Option<BackupLock>,
}

/// The backups at a place, newest first. One that is not there has none.
///
/// # Errors
/// When it cannot be read.
pub async fn list_backups(site: &Site, place: &Place) -> Result<Vec<Found>, Error> {
    Storage::open(site, place)?.list().await
}

impl Storage {
    pub(super) fn open(site: &Site, place: &Place) -> Result<Self, Error> {
        Ok(match place {
            Place::Folder(folder) => Storage::Folder(folder.clone()),
            Place::S3(address) => Storage::S3(Box::new(Bucket::open(site, address)?)),
        })
    }

    /// Waits until nobody else makes a backup for this place.
    pub(super) async fn lock_backups(&self, site: &Site, store: &Store) -> Result<OneAtATime, Error> {
        let folder = match (self, store.backend()) {
            (Storage::Folder(folder), _) => folder.clone(),
            // A bucket has no lock. Those who share this database share its folder too, or its server.
            (Storage::S3(_), Backend::Sqlite) => site.config.data.dir.clone(),
            (Storage::S3(_), Backend::Postgres) => {
                return Ok(OneAtATime { _folder: None, _database: Some(store.lock_backups().await?) });
            }
        };
        let lock = blocking(move || Ok(DataLock::wait_for(&folder)?)).await?;
        Ok(OneAtATime { _folder: Some(lock), _database: None })
    }

    pub(super) async fn list(&self) -> Result<Vec<Found>, Error> {
        match self {
            Storage::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder::list(&folder)).await
            }
            Storage::S3(bucket) => bucket.list().await,
        }
    }

    /// Puts a file there under a name that nothing has; it is there when all of it is.
    pub(super) async fn keep(&self, draft: &Path, name: &str, size_bytes: u64) -> Result<(), Error> {
        match self {
            Storage::Folder(folder) => {
                let (draft, path) = (draft.to_owned(), folder.join(name));
                blocking(move || folder::keep(&draft, &path)).await
            }
            Storage::S3(bucket) => bucket.upload(draft, name, size_bytes).await,
        }
    }

    /// Notes what came of trying a backup.
    pub(super) async fn keep_note(&self, name: &str, seen: &Seen) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(seen).unwrap_or_default();
        match self {
            Storage::Folder(folder) => {
                let path = folder.join(name);
                blocking(move || folder::keep_note(&path, &text)).await
            }
            Storage::S3(bucket) => bucket.keep_note(name, text).await,
        }
    }

    /// Deletes what is older than so many days (0: nothing). Returns what went.
    pub(super) async fn delete_old(&self, keep_days: u32, now: TimeUs) -> Result<Vec<Place>, Error> {
        let mut gone = Vec::new();
        for backup in old(self.list().await?, keep_days, now) {
            match (self, &backup.place) {
                (Storage::S3(bucket), place) => bucket.delete(&place.name()).await?,
                (Storage::Folder(_), Place::Folder(path)) => {
                    let path = path.clone();
                    blocking(move || folder::delete(&path)).await?;
                }
                (Storage::Folder(_), Place::S3(_)) => continue,
            }
            gone.push(backup.place);
        }
        Ok(gone)
    }
}

/// Which backups, of those from the newest to the oldest, are older than so many days (0: none): but never the newest one, nor the newest
/// one that was tried and good.
fn old(backups: Vec<Found>, keep_days: u32, now: TimeUs) -> Vec<Found> {
    let newest_good = backups.iter().position(Found::is_verified);
    let oldest = now.plus_seconds(-i64::from(keep_days) * DAY_S);
    let goes = |at: usize, backup: &Found| {
        keep_days > 0 && at > 0 && Some(at) != newest_good && backup.created_at < oldest
    };
    backups
        .into_iter()
        .enumerate()
        .filter(|(at, backup)| goes(*at, backup))
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
    fn the_newest_and_the_newest_good_one_are_never_deleted() {
        // Days on which backups were made; which were tried, and were good; how many days are kept on day 20; what goes.
        for (days, tried, keep, goes) in [
            (vec![20, 14, 13, 12, 1], vec![], 7, vec![12, 1]),
            (vec![3, 2, 1], vec![], 7, vec![2, 1]),
            (vec![3, 2, 1], vec![(1, true), (2, true), (3, false)], 7, vec![1]),
            (vec![3, 2, 1], vec![], 0, vec![]),
            (vec![], vec![], 7, vec![]),
        ] {
            let seen = |day: i64| {
                let (_, good) = tried.iter().find(|(tried, _)| *tried == day)?;
                Some(Seen { verified_at: String::new(), good: *good, faults: vec![] })
            };
            let found = days.iter().map(|day| Found {
                place: Place::Folder(PathBuf::from(day.to_string())),
                created_at: at(*day),
                size_bytes: 1,
                encrypted: false,
                seen: seen(*day),
            });
            let gone = old(found.collect(), keep, at(20));
            let gone: Vec<TimeUs> = gone.into_iter().map(|found| found.created_at).collect();
            assert_eq!(gone, goes.into_iter().map(at).collect::<Vec<_>>(), "{days:?}");
        }
    }
}
