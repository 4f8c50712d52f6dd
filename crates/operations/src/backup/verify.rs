//! Verifies a backup: restores it into a temporary database, and compares that with the manifest.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use store::{Backend, ConnectOptions, PageRequest, Store, StoreError, TempDatabase};

use super::{
    archive, backup_log,
    context::{BackupContext, blocking},
    create::{Contents, refuse_pooler},
    entry::Verification,
    error::Error,
    location::Location,
    manifest::{self, Manifest},
    postgres,
    s3::Bucket,
    staging::Staging,
    storage::Storage,
};
use application::{accounts::totp, clock::rfc3339, data_keys, secrets::Sealer};

/// A backup that passed verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBackup {
    pub manifest: Manifest,
    /// The migrations that a restore applies.
    pub migrated: Vec<&'static str>,
    /// How many encrypted keys and second factors it contains, and how many of them were decrypted; none without a
    /// secret key.
    pub decrypted: Option<(usize, usize)>,
}

/// Verifies a backup, and stores the result beside it.
///
/// # Errors
/// What is wrong with it, or why it could not be verified; [`Error::is_bad_backup`] tells which.
pub async fn verify_backup(context: &BackupContext, file: &Location) -> Result<VerifiedBackup, Error> {
    let checked = check_backup(context, file).await;
    let faults = match &checked {
        Ok(_) => Vec::new(),
        Err(Error::Faulty { faults, .. }) => faults.clone(),
        Err(error) if error.is_bad_backup() => vec![error.to_string()],
        Err(_) => return checked,
    };
    let good = faults.is_empty();
    let verification = Verification { verified_at: rfc3339(context.clock.now_us()), good, faults };
    Storage::open(context, &file.parent())?.store_verification(&file.name(), &verification).await?;
    backup_log::record_verified(context, file, good).await;
    checked
}

async fn check_backup(context: &BackupContext, file: &Location) -> Result<VerifiedBackup, Error> {
    let (staging, manifest) =
        unpack(context, file, &file.parent().staging_parent(&context.config.data.dir)).await?;
    match manifest.backend() {
        Some(Backend::Postgres) => {
            let url = context.config.direct_database_url();
            if context.config.sqlite_file().is_some() {
                return Err(Error::Tool(format!(
                    "{file} was created from PostgreSQL. Set DATABASE_URL to a server on which it can be verified."
                )));
            }
            let (scratch, checked) = restore_to_scratch(context, file, &manifest, &staging, &url).await?;
            scratch.drop().await?;
            checked
        }
        _ => {
            let copy = staging.path().join(manifest::database_name(Backend::Sqlite));
            let url = format!("sqlite:{}", copy.display());
            examine(context, file, &manifest, &staging, &url).await
        }
    }
}

/// Makes a backup available as a file; returns its path and a folder to unpack it into.
async fn fetch(context: &BackupContext, file: &Location, folder: &Path) -> Result<(Staging, PathBuf), Error> {
    let (owned, folder) = (context.clone(), folder.to_owned());
    let stage = move || Staging::new(&owned, &folder);
    match file {
        Location::Folder(path) if !path.is_file() => {
            Err(Error::File { path: file.to_string(), problem: "it does not exist".to_owned() })
        }
        Location::Folder(path) => Ok((blocking(stage).await?, path.clone())),
        Location::S3(address) => {
            let staging = blocking(stage).await?;
            let path = staging.path().join(archive::DRAFT);
            Bucket::open(context, &address.parent())?.download(&file.name(), &path).await?;
            Ok((staging, path))
        }
    }
}

/// Unpacks a backup into a staging folder in `folder`.
pub(super) async fn unpack(
    context: &BackupContext,
    file: &Location,
    folder: &Path,
) -> Result<(Staging, Manifest), Error> {
    let (staging, path) = fetch(context, file, folder).await?;
    let (context, file) = (context.clone(), file.to_string());
    blocking(move || {
        let manifest = archive::unpack(&path, file.clone(), context.passphrase(), staging.path())?;
        if path.starts_with(staging.path()) {
            fs::remove_file(&path).map_err(|error| Error::file(&path, &error))?;
        }
        let known = i64::try_from(Store::migrations().len()).unwrap_or(i64::MAX);
        if manifest.needs_schema.unwrap_or(manifest.schema) > known {
            return Err(Error::NewerSchema {
                file,
                found: manifest.schema,
                known,
                version: manifest.version,
            });
        }
        Ok((staging, manifest))
    })
    .await
}

/// Restores an unpacked backup into a temporary database on the server of `url`, and examines it. The database exists
/// afterwards only if it is returned.
pub(super) async fn restore_to_scratch(
    context: &BackupContext,
    file: &Location,
    manifest: &Manifest,
    staging: &Staging,
    url: &str,
) -> Result<(TempDatabase, Result<VerifiedBackup, Error>), Error> {
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let current = Store::connect(url, &options).await?;
    let checked = refuse_pooler(context, &current);
    let server = current.server_major().await;
    current.close().await;
    checked?;
    let server = server?.unwrap_or_default();
    let scratch =
        TempDatabase::create(url, context.clock.now_us().as_micros() / 1_000_000, &context.unique_suffix())
            .await?;
    let restored = async {
        let dump = staging.path().join(manifest::database_name(Backend::Postgres)).display().to_string();
        let arguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", &dump];
        postgres::run("pg_restore", server, (url, Some(scratch.name())), arguments, staging.path()).await?;
        examine(context, file, manifest, staging, &database_url(url, scratch.name())?).await
    }
    .await;
    Ok((scratch, restored))
}

/// The URL of another database on the server of `url`.
pub(super) fn database_url(url: &str, name: &str) -> Result<String, Error> {
    let mut database = reqwest::Url::parse(url).map_err(|_| StoreError::Misconfigured {
        problem: "The PostgreSQL URL cannot be read.".to_owned(),
    })?;
    database.set_path(name);
    Ok(database.into())
}

/// Compares a restored database with its manifest, migrates it, and checks its consistency.
pub(super) async fn examine(
    context: &BackupContext,
    file: &Location,
    manifest: &Manifest,
    staging: &Staging,
    url: &str,
) -> Result<VerifiedBackup, Error> {
    let faulty = |faults: Vec<String>| Error::Faulty { file: file.to_string(), faults };
    let store = Store::connect(url, &ConnectOptions::default())
        .await
        .map_err(|error| faulty(vec![format!("its database does not open ({error})")]))?;
    let examined = compare(context, manifest, staging, &store).await;
    store.close().await;
    match examined {
        Ok((faults, _)) if !faults.is_empty() => Err(faulty(faults)),
        Ok((_, verified)) => Ok(verified),
        // SQLite reports damage, or a migration was edited.
        Err(Error::Store(StoreError::Misconfigured { problem })) => Err(faulty(vec![problem])),
        Err(other) => Err(other),
    }
}

async fn compare(
    context: &BackupContext,
    manifest: &Manifest,
    staging: &Staging,
    store: &Store,
) -> Result<(Vec<String>, VerifiedBackup), Error> {
    let mut faults = Vec::new();
    let contents = Contents::read(store.begin_snapshot().await?).await?;
    if contents.facts.schema != manifest.schema {
        faults.push(format!("its schema is {} instead of {}", contents.facts.schema, manifest.schema));
    }
    let counts = contents.counts();
    for table in counts.keys().chain(manifest.counts.keys().filter(|table| !counts.contains_key(*table))) {
        let (found, expected) = (counts.get(table), manifest.counts.get(table));
        if found != expected {
            let text = |count: Option<&u64>| count.map_or("none".to_owned(), u64::to_string);
            faults.push(format!("{table} has {} rows instead of {}", text(found), text(expected)));
        }
    }
    if faults.is_empty() && contents.rows_sha256 != manifest.rows_sha256 {
        faults.push("its rows differ from the original ones".to_owned());
    }
    // A restore migrates too.
    let migrated = store.migrate(context.clock.now_us()).await?.applied;
    let inconsistent = store.find_integrity_faults().await?;
    faults.extend(inconsistent.iter().map(|fault| format!("{} {}", fault.count, fault.what)));
    let decrypted = decrypt_values(context, manifest, staging, store).await?;
    if let Some((all, opened)) = decrypted.filter(|(all, opened)| opened < all) {
        faults.push(format!(
            "{} of {all} keys and second factors cannot be decrypted with the secret key",
            all - opened
        ));
    }
    Ok((faults, VerifiedBackup { manifest: manifest.clone(), migrated, decrypted }))
}

/// Decrypts the keys and second factors with the secret key of the backup, or that of this installation. Creates no
/// key.
async fn decrypt_values(
    context: &BackupContext,
    manifest: &Manifest,
    staging: &Staging,
    store: &Store,
) -> Result<Option<(usize, usize)>, Error> {
    let kept = match manifest.has(manifest::SECRET_KEY) {
        true => staging.path().join(manifest::SECRET_KEY),
        false => context.config.data.dir.join("secret.key"),
    };
    let mut secrets = context.config.secrets.secret_key.expose_secret().to_owned();
    if let Ok(key) = fs::read_to_string(kept) {
        secrets = format!("{secrets},{}", key.trim());
    }
    if secrets.is_empty() {
        return Ok(None);
    }
    let sealer = Sealer::new(&secrets)?;
    let mut opened: Vec<bool> =
        store.list_data_keys().await?.iter().map(|key| data_keys::opens(&sealer, key)).collect();
    let mut page = PageRequest::first(200);
    loop {
        let users = store.list_users(&page).await?;
        opened.extend(users.items.iter().filter_map(|user| totp::opens(&sealer, user)));
        match users.next {
            Some(next) => page = PageRequest { after: Some(next), ..page },
            None => break,
        }
    }
    Ok(Some((opened.len(), opened.iter().filter(|opened| **opened).count())))
}
