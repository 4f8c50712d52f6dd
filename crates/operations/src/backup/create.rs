//! Creates a backup while servers run: a consistent copy, and the row counts and checksum of the same snapshot.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use store::{Backend, ConnectOptions, Snapshot, SnapshotFacts, Store, StoreError, TimeUs};

use super::{
    archive, backup_log,
    context::{BackupContext, blocking},
    entry,
    error::Error,
    files::parent_folder,
    location::Location,
    manifest::{self, Manifest},
    postgres,
    staging::Staging,
    storage::Storage,
};
use application::{clock::rfc3339, data_lock::DataLock, private_files};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedBackup {
    pub location: Location,
    pub size_bytes: u64,
    pub manifest: Manifest,
    /// There is a secret.key, and the backup does not contain it because it is not encrypted.
    pub without_key: bool,
    /// Older backups that were deleted.
    pub deleted: Vec<Location>,
}

const MIN_PASSPHRASE_CHARS: usize = 20;

/// The row counts and the checksum of a snapshot.
pub(super) struct Contents {
    pub(super) facts: SnapshotFacts,
    pub(super) rows_sha256: String,
}

impl Contents {
    pub(super) async fn read(mut snapshot: Snapshot) -> Result<Self, Error> {
        let mut hash = Sha256::new();
        let facts = snapshot
            .list_rows(|line| {
                hash.update(line);
                hash.update("\n");
            })
            .await?;
        Ok(Contents { facts, rows_sha256: archive::hex(&hash.finalize()) })
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.facts.counts.iter().cloned().collect()
    }
}

/// Creates a backup in `to`, and deletes backups there that are older than `keep_days` (0 keeps all).
///
/// # Errors
/// When there is no database, the database, disk or storage fails, or `pg_dump` is missing. Then nothing was stored or
/// deleted.
pub async fn create_backup(
    context: &BackupContext,
    to: &Location,
    keep_days: u32,
) -> Result<CreatedBackup, Error> {
    let mut hold = None;
    if let Some(file) = context.config.sqlite_file() {
        if !file.exists() {
            return Err(Error::NoDatabase(file.display().to_string()));
        }
        hold = Some(DataLock::share(&parent_folder(&file))?);
    }
    let store = Store::connect(&context.config.direct_database_url(), &ConnectOptions::default()).await?;
    if let Err(error @ StoreError::ForeignDatabase) = store.check_schema().await {
        store.close().await;
        return Err(error.into());
    }
    let created = create_from(context, &store, to, keep_days, None).await;
    store.close().await;
    drop(hold);
    created?.ok_or_else(|| Error::NoDatabase(to.to_string()))
}

/// The same for an open database; none if there is a backup newer than `unless_since`.
pub(super) async fn create_from(
    context: &BackupContext,
    store: &Store,
    to: &Location,
    keep_days: u32,
    unless_since: Option<TimeUs>,
) -> Result<Option<CreatedBackup>, Error> {
    let passphrase = context.passphrase();
    if passphrase.is_some_and(|passphrase| passphrase.expose_secret().chars().count() < MIN_PASSPHRASE_CHARS)
    {
        return Err(Error::ShortPassphrase);
    }
    let storage = Storage::open(context, to)?;
    let _lock = storage.acquire_lock(context, store).await?;
    let newest = storage.list().await?.into_iter().next();
    if unless_since.is_some_and(|since| newest.is_some_and(|newest| newest.created_at > since)) {
        return Ok(None);
    }
    let (owned, parent) = (context.clone(), to.staging_parent(&context.config.data.dir));
    let staging = blocking(move || Staging::new(&owned, &parent)).await?;
    let created_at = context.clock.now_us();
    let backend = store.backend();
    let database = manifest::database_name(backend);
    let copy = staging.path().join(database);
    let contents = match backend {
        Backend::Sqlite => {
            store.snapshot_into(&copy).await?;
            let copied =
                Store::connect(&format!("sqlite:{}", copy.display()), &ConnectOptions::default()).await?;
            let contents = Contents::read(copied.begin_snapshot().await?).await;
            copied.close().await;
            contents?
        }
        Backend::Postgres => {
            refuse_pooler(context, store)?;
            let snapshot = store.begin_snapshot().await?;
            let server = store.server_major().await?.unwrap_or_default();
            let (snapshot_name, file) = (snapshot.name().unwrap_or_default(), copy.display());
            let arguments = [
                "--format=custom".to_owned(),
                // The archive is compressed as a whole.
                "--compress=0".to_owned(),
                "--no-owner".to_owned(),
                "--no-privileges".to_owned(),
                format!("--snapshot={snapshot_name}"),
                format!("--file={file}"),
            ];
            let url = context.config.direct_database_url();
            // `pg_dump` keeps the permissions of an existing file, and creates new ones that other users can read.
            drop(private_files::create_file(&copy).map_err(|error| Error::file(&copy, &error))?);
            postgres::run("pg_dump", server, (&url, None), arguments, staging.path()).await?;
            Contents::read(snapshot).await?
        }
    };
    let owned = context.clone();
    let (staging, size_bytes, name, manifest, without_key) = blocking(move || {
        let context = owned;
        let mut manifest = Manifest {
            format: manifest::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: contents.facts.schema,
            needs_schema: Some(contents.facts.needs_schema),
            database: manifest::database_kind(backend).to_owned(),
            created_at: rfc3339(created_at),
            files: vec![archive::describe(staging.path(), database)?],
            counts: contents.counts(),
            rows_sha256: contents.rows_sha256,
        };
        let without_key = add_secrets(&context, &staging, &mut manifest)?;
        let passphrase = context.passphrase();
        let name = entry::file_name(created_at, &context.unique_suffix(), passphrase.is_some());
        let draft = staging.path().join(archive::DRAFT);
        let size_bytes = archive::write(&draft, passphrase, &manifest, staging.path())
            .map_err(|error| Error::file(&draft, &error))?;
        Ok((staging, size_bytes, name, manifest, without_key))
    })
    .await?;
    storage.store(&staging.path().join(archive::DRAFT), &name, size_bytes).await?;
    let deleted = storage.delete_old(keep_days, created_at).await?;
    let location = to.join(&name);
    backup_log::record_created(context, store, &location, size_bytes, deleted.len()).await;
    Ok(Some(CreatedBackup { location, size_bytes, manifest, without_key, deleted }))
}

/// `pg_dump` and `pg_restore` change settings of their connection, which a pooler would give to other clients.
pub(super) fn refuse_pooler(context: &BackupContext, store: &Store) -> Result<(), Error> {
    let is_direct = !context.config.data.direct_url.expose_secret().is_empty();
    match store.is_pooled() && !is_direct {
        true => Err(Error::BehindPooler),
        false => Ok(()),
    }
}

/// Adds what only an encrypted backup may contain: secret.key, and the configuration file, which may contain secrets.
/// Returns whether there is a secret.key that is left out.
fn add_secrets(context: &BackupContext, staging: &Staging, manifest: &mut Manifest) -> Result<bool, Error> {
    let key = Some(context.config.data.dir.join("secret.key")).filter(|key| key.exists());
    if context.passphrase().is_none() {
        return Ok(key.is_some() && context.config.secrets.secret_key.expose_secret().is_empty());
    }
    for (from, name) in [(key, manifest::SECRET_KEY), (context.config.file.clone(), manifest::CONFIGURATION)]
    {
        let Some(from) = from else { continue };
        let copied = staging.path().join(name);
        private_files::copy_file(&from, &copied).map_err(|error| Error::file(&from, &error))?;
        manifest.files.push(archive::describe(staging.path(), name)?);
    }
    Ok(false)
}
