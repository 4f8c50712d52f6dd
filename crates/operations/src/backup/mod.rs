//! Backups: made while everything runs, tried before they are needed, and put back whole or not at all.
//!
//! A backup is one file: a tar archive (`manifest.json` first, then a copy of the database), compressed with zstd, followed by its own
//! SHA-256; with a passphrase it is encrypted in the format of age, and holds the secret key and the configuration file too. So `age`,
//! `zstd` and `tar` open one where this program is not at hand.
//!
//! Read next: `create.rs`, `verify.rs`, `restore.rs`; `archive.rs` for the file, `storage.rs` for where backups lie.

mod age;
mod archive;
mod backup_log;
mod create;
mod folder;
mod manifest;
mod place;
mod postgres;
mod restore;
mod s3;
pub mod schedule;
mod staging;
mod storage;
mod verify;

use std::path::Path;

use application::data_lock::DataLockError;
use llm::SecretString;
use secrecy::ExposeSecret;
use store::StoreError;

pub use create::{Made, create_backup};
pub use folder::{Found, Seen};
pub use manifest::Manifest;
pub use place::Place;
pub use restore::{Restored, restore_backup};
pub use storage::list_backups;
pub use verify::{Verified, verify_backup};

use config::Config;

/// Why a backup could not be made, tried or put back. Nothing was overwritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is something else.
    #[error("{0} is not a backup of this program, or its beginning is damaged; name another file.")]
    NotABackup(String),
    /// The file is not as it was written.
    #[error("{file} is damaged: {why}. Use another backup.")]
    Damaged {
        /// The file.
        file: String,
        /// In which way.
        why: String,
    },
    /// The file is as it was written, and something is not in it.
    #[error("{file} lacks {missing}, so nothing can be restored from it. Use another backup.")]
    Incomplete {
        /// The file.
        file: String,
        /// What its manifest names and it does not hold.
        missing: String,
    },
    /// It is encrypted, and nobody said with what.
    #[error("{0} is encrypted; set BACKUP_PASSPHRASE, or BACKUP_PASSPHRASE_FILE to a file that holds it.")]
    PassphraseNeeded(String),
    /// Somebody would guess it.
    #[error(
        "The passphrase of backups has fewer than 20 characters; set BACKUP_PASSPHRASE to what `ba-copilot secrets generate` prints."
    )]
    ShortPassphrase,
    /// It is encrypted with something else.
    #[error(
        "The passphrase does not open {0}, or its first lines are damaged; set BACKUP_PASSPHRASE to the one it was made with."
    )]
    WrongPassphrase(String),
    /// A newer program wrote the file.
    #[error("{file} has format {found} and this program reads formats up to {known}; use the newer program.")]
    NewerFormat {
        /// The file.
        file: String,
        /// Its format.
        found: u64,
        /// The newest that this program reads.
        known: u64,
    },
    /// A newer program wrote the database in it.
    #[error(
        "The database in {file} has schema {found} and this program knows schemas up to {known}; use the program that made it \
         (version {version}), or a newer one."
    )]
    NewerSchema {
        /// The file.
        file: String,
        /// The newest migration in it.
        found: i64,
        /// The newest migration in this program.
        known: i64,
        /// The program that made it.
        version: String,
    },
    /// What came back is not what was saved.
    #[error("{file} cannot be trusted: {}. Use another backup.", .faults.join("; "))]
    Faulty {
        /// The file.
        file: String,
        /// What is wrong.
        faults: Vec<String>,
    },
    /// It was made from the other kind of database.
    #[error(
        "{file} was made from {made_from}, and this is {here}. Restore it where DATABASE_URL names {made_from}, then carry \
         everything over with `ba-copilot db move`."
    )]
    OtherDatabase {
        /// The file.
        file: String,
        /// The kind of database in it.
        made_from: &'static str,
        /// The kind of database here.
        here: &'static str,
    },
    /// Other sessions use the PostgreSQL database that is to be replaced.
    #[error("The database is in use; stop the servers first, then try again.")]
    DatabaseInUse,
    /// The folder that is to be replaced is in use, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] DataLockError),
    /// There is something where the backup is to go.
    #[error(
        "The database is not empty; with --replace it is put aside, under another name, and the backup takes its place."
    )]
    NotEmpty,
    /// Nothing was ever kept.
    #[error("There is nothing to back up: {0} does not exist. Name the right folder with --data.")]
    Nothing(String),
    /// PostgreSQL's own programs are needed.
    #[error("{0}")]
    Tool(String),
    /// The system refused.
    #[error("{path} cannot be used: {problem}. Check the name, the rights and the room.")]
    File {
        /// Where.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// No place can be read out of the setting.
    #[error("The setting `backup.dir` cannot be used: {0}.")]
    Place(String),
    /// The storage refused, or did not answer.
    #[error("{place}: {why}. {cure}")]
    Storage {
        /// What was asked for.
        place: String,
        /// What it said.
        why: String,
        /// What to do.
        cure: String,
    },
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rest of the product refused.
    #[error(transparent)]
    Service(#[from] application::Error),
}

impl Error {
    fn file(path: &Path, error: &std::io::Error) -> Self {
        Error::File { path: path.display().to_string(), problem: error.to_string() }
    }

    /// Whether it is the backup that is no good, and not what is around it.
    pub fn blames_the_backup(&self) -> bool {
        matches!(
            self,
            Error::NotABackup(_)
                | Error::Damaged { .. }
                | Error::Incomplete { .. }
                | Error::WrongPassphrase(_)
                | Error::Faulty { .. }
        )
    }
}

/// Who makes or reads backups: where things are kept, and with what secrets.
#[derive(Debug, Clone)]
pub struct Site {
    /// All settings.
    pub config: Config,
    /// Time and names.
    pub clock: application::clock::Clock,
}

impl Site {
    fn passphrase(&self) -> Option<&SecretString> {
        Some(&self.config.backup.passphrase).filter(|passphrase| !passphrase.expose_secret().is_empty())
    }

    /// A few letters that no other name has.
    fn unique(&self) -> String {
        let id = self.clock.new_id("x");
        id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_owned()
    }

    /// Where backups go by the configuration.
    ///
    /// # Errors
    /// When that names no place.
    pub fn place(&self) -> Result<Place, Error> {
        let dir = self.config.backup_dir();
        match dir.to_str() {
            Some(text) => text.parse().map_err(Error::Place),
            None => Ok(Place::Folder(dir)),
        }
    }
}

/// Runs what reads and writes files, away from what waits for others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::Service(application::Error::Internal(format!("work on a backup ended early: {error}"))))
    })
}
