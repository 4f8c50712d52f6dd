//! Putting a backup back: tried first, beside what is there; then it takes the place of that, which is put aside and never deleted. At
//! every moment there is the old state or the new one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use store::{Backend, ConnectOptions, Store, TempDatabase};

use super::{
    Error, Site, Verified, archive, backup_log, blocking, folder, manifest, place::Place, staging::Staging,
    verify,
};
use application::data_lock::DataLock;
use application::private_files;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What came back.
    pub verified: Verified,
    /// Where what was there is now: a folder, or a database on the same server; none if there was nothing.
    pub put_aside: Option<String>,
    /// Where the configuration file of the backup was written, if it held one. It is not in use.
    pub configuration: Option<PathBuf>,
}

/// Restores a backup. On PostgreSQL `replace` says that the database may hold something, which is put aside.
///
/// # Errors
/// While anybody uses what is to be replaced, and where the backup is no good. Nothing has changed then.
pub async fn restore_backup(site: &Site, file: &Place, replace: bool) -> Result<Restored, Error> {
    match site.config.sqlite_file() {
        Some(database) => restore_sqlite(site, file, &database).await,
        None => restore_postgres(site, file, replace).await,
    }
}

fn other_database(file: &Place, made_from: Backend) -> Error {
    let (made_from, here) = match made_from {
        Backend::Sqlite => ("SQLite", "PostgreSQL"),
        Backend::Postgres => ("PostgreSQL", "SQLite"),
    };
    Error::OtherDatabase { file: file.to_string(), made_from, here }
}

async fn restore_sqlite(site: &Site, file: &Place, database: &Path) -> Result<Restored, Error> {
    let home = folder::of(database);
    let lock = DataLock::own(&home)?;
    let (staging, manifest) = verify::unpack(site, file, &home).await?;
    if manifest.backend() != Some(Backend::Sqlite) {
        return Err(other_database(file, Backend::Postgres));
    }
    let copy = staging.path().join(manifest::database_name(Backend::Sqlite));
    let copied = format!("sqlite:{}", copy.display());
    let verified = verify::examine(site, file, &manifest, &staging, &copied).await?;
    backup_log::record_restored(site, &copied, file, &manifest).await?;
    // The log of what is there is folded into its file, if it is one: a log must never meet another file.
    if database.exists()
        && let Ok(old) = Store::connect(&site.config.database_url(), &ConnectOptions::default()).await
    {
        old.close().await;
    }
    let (site, database) = (site.clone(), database.to_owned());
    blocking(move || {
        let _lock = lock;
        let aside =
            home.join(format!("before-restore-{}-{}", folder::stamp(site.clock.now_us()), site.unique()));
        let beside = |end: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (log, index) = (beside("-wal"), beside("-shm"));
        let key = site.config.data.dir.join("secret.key");
        let keys = merge_keys(&key, &staging)?;
        let put_aside = put_aside(&aside, &[&database, &log, &index, &key])?;
        restore_key(&key, keys)?;
        // Only a file that could not be opened still has a log, and the copy that was put aside has it too.
        for left in [&log, &index].into_iter().filter(|left| left.exists()) {
            fs::remove_file(left).map_err(|error| Error::file(left, &error))?;
        }
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(|error| Error::file(&copy, &error))?;
        fs::rename(&copy, &database).map_err(|error| Error::file(&database, &error))?;
        archive::sync_folder(&database)?;
        let configuration = restore_configuration(&site, &staging)?;
        Ok(Restored { verified, put_aside, configuration })
    })
    .await
}

async fn restore_postgres(site: &Site, file: &Place, replace: bool) -> Result<Restored, Error> {
    let url = site.config.database_url();
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let here = Store::connect(&url, &options).await?;
    let state =
        async { Ok::<_, Error>((here.has_no_tables().await?, here.count_other_clients().await?)) }.await;
    here.close().await;
    let (blank, others) = state?;
    if others > 0 {
        return Err(Error::DatabaseInUse);
    }
    if !blank && !replace {
        return Err(Error::NotEmpty);
    }
    let (staging, manifest) = verify::unpack(site, file, &site.config.data.dir).await?;
    if manifest.backend() != Some(Backend::Postgres) {
        return Err(other_database(file, Backend::Sqlite));
    }
    let (scratch, verified) = verify::restore_to_scratch(site, file, &manifest, &staging, &url).await?;
    let stamp = folder::stamp(site.clock.now_us());
    let mine = site.clone();
    let prepared = async {
        let verified = verified?;
        backup_log::record_restored(site, &verify::beside(&url, scratch.name())?, file, &manifest).await?;
        // The key first: with both keys in it, it opens what either database has sealed.
        let (configuration, key_aside) = blocking(move || {
            let key = mine.config.data.dir.join("secret.key");
            let aside = mine.config.data.dir.join(format!("before-restore-{stamp}-{}", mine.unique()));
            let keys = merge_keys(&key, &staging)?;
            let key_aside = put_aside(&aside, &[&key])?;
            restore_key(&key, keys)?;
            Ok((restore_configuration(&mine, &staging)?, key_aside))
        })
        .await?;
        Ok((verified, configuration, key_aside))
    };
    let (verified, configuration, key_aside) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => {
            scratch.drop().await?;
            return Err(error);
        }
    };
    let suffix = format!("_before_restore_{}", folder::stamp(site.clock.now_us()).to_lowercase());
    let name = scratch.name().to_owned();
    let kept = match scratch.replace_original(&suffix).await {
        Ok(kept) => kept,
        Err(error) => {
            TempDatabase::named(&url, &name)?.drop().await?;
            return Err(error.into());
        }
    };
    if blank {
        TempDatabase::named(&url, &kept)?.drop().await?;
    }
    let put_aside = match blank {
        true => key_aside,
        false => Some(format!("database {kept}")),
    };
    Ok(Restored { verified, put_aside, configuration })
}

/// Keeps what is there under a second name, which costs no time and no room. Says where, if there was anything.
fn put_aside(aside: &Path, files: &[&Path]) -> Result<Option<String>, Error> {
    let there: Vec<&&Path> = files.iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        return Ok(None);
    }
    let problem = |error: io::Error| Error::file(aside, &error);
    drop(DataLock::own(aside)?);
    for file in there {
        let kept = aside.join(file.file_name().unwrap_or_default());
        if fs::hard_link(file, &kept).is_err() {
            private_files::copy_file(file, &kept).map_err(problem)?;
        }
    }
    archive::sync_folder(&aside.join("x"))?;
    archive::sync_folder(aside)?;
    Ok(Some(aside.display().to_string()))
}

/// The secret key of the backup, if it holds one, before the one that is there: the first seals, each of them opens, so that there is no
/// moment in which what is sealed cannot be read.
fn merge_keys(key: &Path, staging: &Staging) -> Result<Option<String>, Error> {
    let Some(restored) = read_if_there(&staging.path().join(manifest::SECRET_KEY))? else { return Ok(None) };
    let mut keys: Vec<&str> = restored.trim().split(',').collect();
    // One that cannot be read must not be written over: it may be all that opens what is sealed.
    let there = read_if_there(key)?.unwrap_or_default();
    for old in there.trim().split(',').filter(|old| !old.is_empty()) {
        if !keys.contains(&old) {
            keys.push(old);
        }
    }
    Ok(Some(keys.join(",")))
}

/// Puts them into the data folder.
fn restore_key(key: &Path, keys: Option<String>) -> Result<(), Error> {
    match keys {
        Some(keys) => archive::write_whole(key, keys.as_bytes()),
        None => Ok(()),
    }
}

/// The text of a file; none if there is no such file.
fn read_if_there(file: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(file, &error)),
    }
}

/// The configuration file is for a person to read: it may name what is not there any more.
fn restore_configuration(site: &Site, staging: &Staging) -> Result<Option<PathBuf>, Error> {
    let Ok(bytes) = fs::read(staging.path().join(manifest::CONFIGURATION)) else { return Ok(None) };
    let path = site.config.data.dir.join("config-from-backup.toml");
    archive::write_whole(&path, &bytes)?;
    Ok(Some(path))
}
