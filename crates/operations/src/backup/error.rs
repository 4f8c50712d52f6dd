//! Why a backup could not be created, verified or restored. The words are written here.

use std::path::Path;

use application::data_lock::DataLockError;
use store::StoreError;

/// Nothing was overwritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0} is not a backup of this program, or its beginning is damaged. Use another file.")]
    NotABackup(String),
    #[error("{file} is damaged: {reason}. Use another backup.")]
    Damaged { file: String, reason: String },
    /// The file is intact and lacks something that its manifest names.
    #[error("{file} lacks {missing}, so it cannot be restored. Use another backup.")]
    Incomplete { file: String, missing: String },
    #[error("{0} is encrypted. Set BACKUP_PASSPHRASE, or BACKUP_PASSPHRASE_FILE to a file that contains it.")]
    PassphraseNeeded(String),
    #[error(
        "The passphrase of backups has fewer than 20 characters. Set BACKUP_PASSPHRASE to the output of `ba-copilot \
         secrets generate`."
    )]
    ShortPassphrase,
    #[error(
        "The passphrase does not open {0}, or its first lines are damaged. Set BACKUP_PASSPHRASE to the passphrase of \
         that backup."
    )]
    WrongPassphrase(String),
    #[error("{file} has format {found}, and this program reads formats up to {known}. Use a newer program.")]
    NewerFormat { file: String, found: u64, known: u64 },
    #[error(
        "The database in {file} has schema {found}, and this program supports schemas up to {known}. Use version \
         {version}, which created it, or a newer one."
    )]
    NewerSchema {
        file: String,
        found: i64,
        known: i64,
        /// Of the program that created the backup.
        version: String,
    },
    /// The restored database differs from the one that was backed up.
    #[error("{file} failed verification: {}. Use another backup.", .faults.join("; "))]
    Faulty { file: String, faults: Vec<String> },
    #[error(
        "{file} was created from {made_from}, and this is {here}. Restore it where DATABASE_URL names {made_from}, \
         then copy the data with `ba-copilot db move`."
    )]
    OtherDatabase { file: String, made_from: &'static str, here: &'static str },
    #[error(
        "PostgreSQL is behind a pooler in transaction mode, through which it cannot be backed up or restored. Set \
         DATABASE_DIRECT_URL to the address of the server itself."
    )]
    BehindPooler,
    /// Other sessions use the PostgreSQL database that is to be replaced.
    #[error("The database is in use. Stop the servers, then try again.")]
    DatabaseInUse,
    /// The folder that is to be replaced is in use, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] DataLockError),
    #[error("The database is not empty. With --replace it is renamed, and the backup takes its place.")]
    NotEmpty,
    #[error("There is nothing to back up: {0} does not exist. Name the data folder with --data.")]
    NoDatabase(String),
    /// A program of PostgreSQL is missing or failed.
    #[error("{0}")]
    Tool(String),
    #[error("{path} cannot be used: {problem}. Check the name, the permissions and the free space.")]
    File { path: String, problem: String },
    #[error("The setting `backup.dir` cannot be used: {0}.")]
    Location(String),
    #[error("{location}: {reason}. {cure}")]
    Storage { location: String, reason: String, cure: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Service(#[from] application::Error),
}

impl Error {
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Error::File { path: path.display().to_string(), problem: error.to_string() }
    }

    /// Whether the backup itself is bad, and not its surroundings.
    pub fn is_bad_backup(&self) -> bool {
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
