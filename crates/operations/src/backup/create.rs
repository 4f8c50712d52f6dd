//! Making a backup, while everything runs: a copy of one moment, and everything that was counted in that very moment.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use store::{Backend, ConnectOptions, Snapshot, SnapshotFacts, Store, StoreError, TimeUs};

use super::{
    Error, Site, archive, backup_log, blocking, folder,
    manifest::{self, Manifest},
    place::Place,
    postgres,
    staging::Staging,
    storage::Storage,
};
use application::data_lock::DataLock;
use application::{clock::rfc3339, private_files};

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub place: Place,
    /// Its size.
    pub size_bytes: u64,
    /// What is in it.
    pub manifest: Manifest,
    /// The secret key is not in it, and whoever loses that loses what it sealed.
    pub without_key: bool,
    /// Older backups that went.
    pub deleted: Vec<Place>,
}

/// What one moment held, and what all of it says.
pub(super) struct Counted {
    pub(super) facts: SnapshotFacts,
    pub(super) rows_sha256: String,
}

impl Counted {
    /// Reads everything of a moment.
    pub(super) async fn of(mut moment: Snapshot) -> Result<Self, Error> {
        let mut hash = Sha256::new();
        let facts = moment
            .list_rows(|line| {
                hash.update(line);
                hash.update("\n");
            })
            .await?;
        Ok(Counted { facts, rows_sha256: archive::hex(&hash.finalize()) })
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.facts.counts.iter().cloned().collect()
    }
}

/// Makes a backup of the database of `site` at the place `to`, and deletes those there that are older than so many days (0: none).
///
/// # Errors
/// When there is nothing to back up, the database, the disk or the storage refuses, or PostgreSQL's `pg_dump` is missing. Then nothing
/// is left there, and nothing was deleted.
pub async fn create_backup(site: &Site, to: &Place, keep_days: u32) -> Result<Made, Error> {
    let mut hold = None;
    if let Some(file) = site.config.sqlite_file() {
        if !file.exists() {
            return Err(Error::Nothing(file.display().to_string()));
        }
        hold = Some(DataLock::share(&folder::of(&file))?);
    }
    let store = Store::connect(&site.config.database_url(), &ConnectOptions::default()).await?;
    if let Err(error @ StoreError::ForeignDatabase) = store.check_schema().await {
        store.close().await;
        return Err(error.into());
    }
    let made = create_from(site, &store, to, keep_days, None).await;
    store.close().await;
    drop(hold);
    made?.ok_or_else(|| Error::Nothing(to.to_string()))
}

/// The same, of a database that is open; nothing if somebody has made one since `unless_since`.
pub(super) async fn create_from(
    site: &Site,
    store: &Store,
    to: &Place,
    keep_days: u32,
    unless_since: Option<TimeUs>,
) -> Result<Option<Made>, Error> {
    let passphrase = site.passphrase().map(ExposeSecret::expose_secret);
    if passphrase.is_some_and(|passphrase| passphrase.chars().count() < 20) {
        return Err(Error::ShortPassphrase);
    }
    let storage = Storage::open(site, to)?;
    let _turn = storage.lock_backups(site, store).await?;
    let newest = storage.list().await?.into_iter().next();
    if unless_since.is_some_and(|since| newest.is_some_and(|newest| newest.created_at > since)) {
        return Ok(None);
    }
    let (mine, workshop) = (site.clone(), to.workshop(&site.config.data.dir));
    let staging = blocking(move || Staging::new(&mine, &workshop)).await?;
    let created_at = site.clock.now_us();
    let backend = store.backend();
    let database = manifest::database_name(backend);
    let copy = staging.path().join(database);
    let counted = match backend {
        Backend::Sqlite => {
            store.snapshot_into(&copy).await?;
            let copied =
                Store::connect(&format!("sqlite:{}", copy.display()), &ConnectOptions::default()).await?;
            let counted = Counted::of(copied.begin_snapshot().await?).await;
            copied.close().await;
            counted?
        }
        Backend::Postgres => {
            let moment = store.begin_snapshot().await?;
            let server = store.server_major().await?.unwrap_or_default();
            let (snapshot, file) = (moment.name().unwrap_or_default(), copy.display());
            let arguments = [
                "--format=custom".to_owned(),
                // All of the archive is compressed.
                "--compress=0".to_owned(),
                "--no-owner".to_owned(),
                "--no-privileges".to_owned(),
                format!("--snapshot={snapshot}"),
                format!("--file={file}"),
            ];
            let url = site.config.database_url();
            // `pg_dump` writes into the file that is there, and would make another one that others may read.
            drop(private_files::create_file(&copy).map_err(|error| Error::file(&copy, &error))?);
            postgres::run("pg_dump", server, (&url, None), arguments, staging.path()).await?;
            Counted::of(moment).await?
        }
    };
    let mine = site.clone();
    let (staging, size_bytes, name, manifest, without_key) = blocking(move || {
        let site = mine;
        let mut manifest = Manifest {
            format: manifest::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: counted.facts.schema,
            needs_schema: Some(counted.facts.needs_schema),
            database: manifest::word(backend).to_owned(),
            created_at: rfc3339(created_at),
            files: vec![archive::list(staging.path(), database)?],
            counts: counted.counts(),
            rows_sha256: counted.rows_sha256,
        };
        let without_key = add_secrets(&site, &staging, &mut manifest)?;
        let passphrase = site.passphrase().map(ExposeSecret::expose_secret);
        let name = folder::name(created_at, &site.unique(), passphrase.is_some());
        let draft = staging.path().join(archive::DRAFT);
        let size_bytes = archive::write(&draft, passphrase, &manifest, staging.path())
            .map_err(|error| Error::file(&draft, &error))?;
        Ok((staging, size_bytes, name, manifest, without_key))
    })
    .await?;
    storage.keep(&staging.path().join(archive::DRAFT), &name, size_bytes).await?;
    let deleted = storage.delete_old(keep_days, created_at).await?;
    let made = Made { place: to.join(&name), size_bytes, manifest, without_key, deleted };
    backup_log::record_made(site, store, &made).await;
    Ok(Some(made))
}

/// What may only be in an encrypted backup: the key that seals secrets in the database, and the configuration file, which may hold
/// others. Says whether there is such a key and it is left out.
fn add_secrets(site: &Site, staging: &Staging, manifest: &mut Manifest) -> Result<bool, Error> {
    let key = Some(site.config.data.dir.join("secret.key")).filter(|key| key.exists());
    if site.passphrase().is_none() {
        return Ok(key.is_some() && site.config.secrets.secret_key.expose_secret().is_empty());
    }
    for (from, name) in [(key, manifest::SECRET_KEY), (site.config.file.clone(), manifest::CONFIGURATION)] {
        let Some(from) = from else { continue };
        let copied = staging.path().join(name);
        private_files::copy_file(&from, &copied).map_err(|error| Error::file(&from, &error))?;
        manifest.files.push(archive::list(staging.path(), name)?);
    }
    Ok(false)
}
