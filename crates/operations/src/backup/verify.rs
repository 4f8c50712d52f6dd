//! Trying a backup: everything in it is brought back into a database of its own and compared with what was there when it was made. A
//! backup that nobody has tried is a hope.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use store::{Backend, ConnectOptions, PageRequest, Store, StoreError, TempDatabase};

use super::{
    Error, Site, archive, backup_log, blocking,
    create::Counted,
    folder::Seen,
    manifest::{self, Manifest},
    place::Place,
    postgres,
    s3::Bucket,
    staging::Staging,
    storage::Storage,
};
use application::{accounts::totp, clock::rfc3339, data_keys, secrets::Sealer};

/// What came back of a backup that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says of itself, and is.
    pub manifest: Manifest,
    /// Names of the migrations that a restore of it goes on to apply.
    pub migrated: Vec<&'static str>,
    /// How many keys and second factors it holds, sealed, and how many of them opened; none if there was no key at hand to try.
    pub sealed: Option<(usize, usize)>,
}

/// Tries a backup, and notes beside it what came of that.
///
/// # Errors
/// What is wrong with it, or why it could not be tried; [`Error::blames_the_backup`] tells which.
pub async fn verify_backup(site: &Site, file: &Place) -> Result<Verified, Error> {
    let tried = try_backup(site, file).await;
    let faults = match &tried {
        Ok(_) => Vec::new(),
        Err(Error::Faulty { faults, .. }) => faults.clone(),
        Err(error) if error.blames_the_backup() => vec![error.to_string()],
        Err(_) => return tried,
    };
    let good = faults.is_empty();
    let seen = Seen { verified_at: rfc3339(site.clock.now_us()), good, faults };
    Storage::open(site, &file.parent())?.keep_note(&file.name(), &seen).await?;
    backup_log::record_tried(site, file, good).await;
    tried
}

async fn try_backup(site: &Site, file: &Place) -> Result<Verified, Error> {
    let (staging, manifest) = unpack(site, file, &file.parent().workshop(&site.config.data.dir)).await?;
    match manifest.backend() {
        Some(Backend::Postgres) => {
            let url = site.config.database_url();
            if site.config.sqlite_file().is_some() {
                return Err(Error::Tool(format!(
                    "{file} was made from PostgreSQL; set DATABASE_URL to a server on which it can be tried."
                )));
            }
            let (scratch, tried) = restore_to_scratch(site, file, &manifest, &staging, &url).await?;
            scratch.drop().await?;
            tried
        }
        _ => {
            let copy = staging.path().join(manifest::database_name(Backend::Sqlite));
            let url = format!("sqlite:{}", copy.display());
            examine(site, file, &manifest, &staging, &url).await
        }
    }
}

/// Where a backup can be read, and the folder to unpack it into.
async fn fetch(site: &Site, file: &Place, folder: &Path) -> Result<(Staging, PathBuf), Error> {
    let (mine, folder) = (site.clone(), folder.to_owned());
    let stage = move || Staging::new(&mine, &folder);
    match file {
        Place::Folder(path) if !path.is_file() => {
            Err(Error::File { path: file.to_string(), problem: "there is no such file".to_owned() })
        }
        Place::Folder(path) => Ok((blocking(stage).await?, path.clone())),
        Place::S3(address) => {
            let staging = blocking(stage).await?;
            let path = staging.path().join(archive::DRAFT);
            Bucket::open(site, &address.parent())?.download(&file.name(), &path).await?;
            Ok((staging, path))
        }
    }
}

/// Unpacks a backup into a folder of its own in `folder`.
pub(super) async fn unpack(site: &Site, file: &Place, folder: &Path) -> Result<(Staging, Manifest), Error> {
    let (staging, path) = fetch(site, file, folder).await?;
    let (site, file) = (site.clone(), file.to_string());
    blocking(move || {
        let passphrase = site.passphrase().map(ExposeSecret::expose_secret);
        let manifest = archive::unpack(&path, file.clone(), passphrase, staging.path())?;
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

/// Brings what was unpacked into a new database on the server of `url`, and looks at it there. The database is there afterwards only if
/// this returns one.
pub(super) async fn restore_to_scratch(
    site: &Site,
    file: &Place,
    manifest: &Manifest,
    staging: &Staging,
    url: &str,
) -> Result<(TempDatabase, Result<Verified, Error>), Error> {
    let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
    let here = Store::connect(url, &options).await?;
    let server = here.server_major().await;
    here.close().await;
    let server = server?.unwrap_or_default();
    let scratch =
        TempDatabase::create(url, site.clock.now_us().as_micros() / 1_000_000, &site.unique()).await?;
    let restored = async {
        let dump = staging.path().join(manifest::database_name(Backend::Postgres)).display().to_string();
        let arguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", &dump];
        postgres::run("pg_restore", server, (url, Some(scratch.name())), arguments, staging.path()).await?;
        examine(site, file, manifest, staging, &beside(url, scratch.name())?).await
    }
    .await;
    Ok((scratch, restored))
}

/// The address of another database on the server of `url`.
pub(super) fn beside(url: &str, name: &str) -> Result<String, Error> {
    let mut beside = reqwest::Url::parse(url).map_err(|_| StoreError::Misconfigured {
        problem: "The PostgreSQL URL cannot be read.".to_owned(),
    })?;
    beside.set_path(name);
    Ok(beside.into())
}

/// Compares a restored database with what its manifest says, makes it current, and asks whether everything in it holds together.
pub(super) async fn examine(
    site: &Site,
    file: &Place,
    manifest: &Manifest,
    staging: &Staging,
    url: &str,
) -> Result<Verified, Error> {
    let faulty = |faults: Vec<String>| Error::Faulty { file: file.to_string(), faults };
    let store = Store::connect(url, &ConnectOptions::default())
        .await
        .map_err(|error| faulty(vec![format!("its database does not open ({error})")]))?;
    let looked = look(site, manifest, staging, &store).await;
    store.close().await;
    match looked {
        Ok((faults, _)) if !faults.is_empty() => Err(faulty(faults)),
        Ok((_, verified)) => Ok(verified),
        // SQLite says so, or a migration was edited.
        Err(Error::Store(StoreError::Misconfigured { problem })) => Err(faulty(vec![problem])),
        Err(other) => Err(other),
    }
}

async fn look(
    site: &Site,
    manifest: &Manifest,
    staging: &Staging,
    store: &Store,
) -> Result<(Vec<String>, Verified), Error> {
    let mut faults = Vec::new();
    let counted = Counted::of(store.begin_snapshot().await?).await?;
    if counted.facts.schema != manifest.schema {
        faults.push(format!("its schema is {} and was {}", counted.facts.schema, manifest.schema));
    }
    let counts = counted.counts();
    for table in counts.keys().chain(manifest.counts.keys().filter(|table| !counts.contains_key(*table))) {
        let (there, was) = (counts.get(table), manifest.counts.get(table));
        if there != was {
            let said = |count: Option<&u64>| count.map_or("none".to_owned(), u64::to_string);
            faults.push(format!("{table} has {} rows and had {}", said(there), said(was)));
        }
    }
    if faults.is_empty() && counted.rows_sha256 != manifest.rows_sha256 {
        faults.push("its rows are as many as they were, and say something else".to_owned());
    }
    // What an upgrade would do to it is a part of restoring it.
    let migrated = store.migrate(site.clock.now_us()).await?.applied;
    let unsound = store.find_integrity_faults().await?;
    faults.extend(unsound.iter().map(|fault| format!("{} {}", fault.count, fault.what)));
    let sealed = open_sealed(site, manifest, staging, store).await?;
    if let Some((all, opened)) = sealed.filter(|(all, opened)| opened < all) {
        faults.push(format!(
            "{} of {all} keys and second factors do not open with the secret key at hand",
            all - opened
        ));
    }
    Ok((faults, Verified { manifest: manifest.clone(), migrated, sealed }))
}

/// Tries the keys in the database with the secret key in the backup, or else with that of this installation. Never makes one.
async fn open_sealed(
    site: &Site,
    manifest: &Manifest,
    staging: &Staging,
    store: &Store,
) -> Result<Option<(usize, usize)>, Error> {
    let kept = match manifest.has(manifest::SECRET_KEY) {
        true => staging.path().join(manifest::SECRET_KEY),
        false => site.config.data.dir.join("secret.key"),
    };
    let mut secrets = site.config.secrets.secret_key.expose_secret().to_owned();
    if let Ok(key) = fs::read_to_string(kept) {
        secrets = format!("{secrets},{}", key.trim());
    }
    if secrets.is_empty() {
        return Ok(None);
    }
    let sealer = Sealer::new(&secrets)?;
    let mut tried: Vec<bool> =
        store.list_data_keys().await?.iter().map(|key| data_keys::opens(&sealer, key)).collect();
    let mut page = PageRequest::first(200);
    loop {
        let people = store.list_users(&page).await?;
        tried.extend(people.items.iter().filter_map(|person| totp::opens(&sealer, person)));
        match people.next {
            Some(next) => page = PageRequest { after: Some(next), ..page },
            None => break,
        }
    }
    Ok(Some((tried.len(), tried.iter().filter(|opened| **opened).count())))
}
