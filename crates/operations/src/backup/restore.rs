//! Restores a backup: it is verified first, then replaces the current data, which is renamed and never deleted. At
//! every moment either the old or the new state is complete.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use store::{Backend, ConnectOptions, Store, TempDatabase};

use super::{
    backup_log,
    context::{BackupContext, blocking},
    entry::timestamp,
    error::Error,
    files::{parent_folder, sync_parent, write_atomically},
    location::Location,
    manifest,
    staging::Staging,
    verify::{self, VerifiedBackup},
};
use application::{data_lock::DataLock, private_files};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub verified: VerifiedBackup,
    /// Where the previous data is now: a folder, or a database on the same server; none if there was none.
    pub previous: Option<String>,
    /// The configuration file from the backup, if it contains one. It is not used.
    pub configuration: Option<PathBuf>,
}

/// With `replace`, a PostgreSQL database need not be empty; it is renamed.
///
/// # Errors
/// When the database is in use, or the backup is bad. Nothing was changed then.
pub async fn restore_backup(
    context: &BackupContext,
    file: &Location,
    replace: bool,
) -> Result<Restored, Error> {
    match context.config.sqlite_file() {
        Some(database) => restore_sqlite(context, file, &database).await,
        None => restore_postgres(context, file, replace).await,
    }
}

fn other_database(file: &Location, made_from: Backend) -> Error {
    let (made_from, here) = match made_from {
        Backend::Sqlite => ("SQLite", "PostgreSQL"),
        Backend::Postgres => ("PostgreSQL", "SQLite"),
    };
    Error::OtherDatabase { file: file.to_string(), made_from, here }
}

async fn restore_sqlite(
    context: &BackupContext,
    file: &Location,
    database: &Path,
) -> Result<Restored, Error> {
    let home = parent_folder(database);
    let lock = DataLock::own(&home)?;
    let (staging, manifest) = verify::unpack(context, file, &home).await?;
    if manifest.backend() != Some(Backend::Sqlite) {
        return Err(other_database(file, Backend::Postgres));
    }
    let copy = staging.path().join(manifest::database_name(Backend::Sqlite));
    let copied = format!("sqlite:{}", copy.display());
    let verified = verify::examine(context, file, &manifest, &staging, &copied).await?;
    backup_log::record_restored(context, &copied, file, &manifest).await?;
    // Closing checkpoints the write-ahead log of the current database: a log must never be used with another file.
    if database.exists()
        && let Ok(old) = Store::connect(&context.config.database_url(), &ConnectOptions::default()).await
    {
        old.close().await;
    }
    let (context, database) = (context.clone(), database.to_owned());
    blocking(move || {
        let _lock = lock;
        let folder = home.join(format!(
            "before-restore-{}-{}",
            timestamp(context.clock.now_us()),
            context.unique_suffix()
        ));
        let beside = |end: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (log, index) = (beside("-wal"), beside("-shm"));
        let key = context.config.data.dir.join("secret.key");
        let keys = merge_keys(&key, &staging)?;
        let previous = set_aside(&folder, &[&database, &log, &index, &key])?;
        restore_key(&key, keys)?;
        // Only a database that could not be opened still has a log; its copy was kept as well.
        for left in [&log, &index].into_iter().filter(|left| left.exists()) {
            fs::remove_file(left).map_err(|error| Error::file(left, &error))?;
        }
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(|error| Error::file(&copy, &error))?;
        fs::rename(&copy, &database).map_err(|error| Error::file(&database, &error))?;
        sync_parent(&database)?;
        let configuration = restore_configuration(&context, &staging)?;
        Ok(Restored { verified, previous, configuration })
    })
    .await
}

async fn restore_postgres(
    context: &BackupContext,
    file: &Location,
    replace: bool,
) -> Result<Restored, Error> {
    let url = context.config.direct_database_url();
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let here = Store::connect(&url, &options).await?;
    let state =
        async { Ok::<_, Error>((here.has_no_tables().await?, here.count_other_clients().await?)) }.await;
    here.close().await;
    let (has_no_tables, other_clients) = state?;
    if other_clients > 0 {
        return Err(Error::DatabaseInUse);
    }
    if !has_no_tables && !replace {
        return Err(Error::NotEmpty);
    }
    let (staging, manifest) = verify::unpack(context, file, &context.config.data.dir).await?;
    if manifest.backend() != Some(Backend::Postgres) {
        return Err(other_database(file, Backend::Sqlite));
    }
    let (scratch, verified) = verify::restore_to_scratch(context, file, &manifest, &staging, &url).await?;
    let time = timestamp(context.clock.now_us());
    let owned = context.clone();
    let prepared = async {
        let verified = verified?;
        backup_log::record_restored(context, &verify::database_url(&url, scratch.name())?, file, &manifest)
            .await?;
        // The key first: the file then has both keys, and decrypts the values of either database.
        let (configuration, key_folder) = blocking(move || {
            let key = owned.config.data.dir.join("secret.key");
            let folder =
                owned.config.data.dir.join(format!("before-restore-{time}-{}", owned.unique_suffix()));
            let keys = merge_keys(&key, &staging)?;
            let key_folder = set_aside(&folder, &[&key])?;
            restore_key(&key, keys)?;
            Ok((restore_configuration(&owned, &staging)?, key_folder))
        })
        .await?;
        Ok((verified, configuration, key_folder))
    };
    let (verified, configuration, key_folder) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => {
            scratch.drop().await?;
            return Err(error);
        }
    };
    let suffix = format!("_before_restore_{}", timestamp(context.clock.now_us()).to_lowercase());
    let name = scratch.name().to_owned();
    let kept = match scratch.replace_original(&suffix).await {
        Ok(kept) => kept,
        Err(error) => {
            TempDatabase::named(&url, &name)?.drop().await?;
            return Err(error.into());
        }
    };
    if has_no_tables {
        TempDatabase::named(&url, &kept)?.drop().await?;
    }
    let previous = match has_no_tables {
        true => key_folder,
        false => Some(format!("database {kept}")),
    };
    Ok(Restored { verified, previous, configuration })
}

/// Keeps existing files under a second name in a new folder, by hard links. Returns the folder, if there was a file.
fn set_aside(folder: &Path, files: &[&Path]) -> Result<Option<String>, Error> {
    let existing: Vec<&&Path> = files.iter().filter(|file| file.exists()).collect();
    if existing.is_empty() {
        return Ok(None);
    }
    let failed = |error: io::Error| Error::file(folder, &error);
    drop(DataLock::own(folder)?);
    for file in existing {
        let kept = folder.join(file.file_name().unwrap_or_default());
        if fs::hard_link(file, &kept).is_err() {
            private_files::copy_file(file, &kept).map_err(failed)?;
        }
    }
    sync_parent(&folder.join("x"))?;
    sync_parent(folder)?;
    Ok(Some(folder.display().to_string()))
}

/// Puts the secret key of the backup, if there is one, before the current keys: the first one encrypts and each of them
/// decrypts, so there is no moment in which encrypted values cannot be read.
fn merge_keys(key: &Path, staging: &Staging) -> Result<Option<String>, Error> {
    let Some(restored) = read_optional(&staging.path().join(manifest::SECRET_KEY))? else { return Ok(None) };
    let mut keys: Vec<&str> = restored.trim().split(',').collect();
    // An unreadable key file must not be overwritten: it may be the only copy of the key.
    let current = read_optional(key)?.unwrap_or_default();
    for old in current.trim().split(',').filter(|old| !old.is_empty()) {
        if !keys.contains(&old) {
            keys.push(old);
        }
    }
    Ok(Some(keys.join(",")))
}

fn restore_key(key: &Path, keys: Option<String>) -> Result<(), Error> {
    match keys {
        Some(keys) => write_atomically(key, keys.as_bytes()),
        None => Ok(()),
    }
}

fn read_optional(file: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(file, &error)),
    }
}

/// The configuration file is for reference only: its paths may not exist any more.
fn restore_configuration(context: &BackupContext, staging: &Staging) -> Result<Option<PathBuf>, Error> {
    let Ok(bytes) = fs::read(staging.path().join(manifest::CONFIGURATION)) else { return Ok(None) };
    let path = context.config.data.dir.join("config-from-backup.toml");
    write_atomically(&path, &bytes)?;
    Ok(Some(path))
}
