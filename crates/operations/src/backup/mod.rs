//! Backups: created while servers run, verified by a restore into a temporary database, and restored completely or not
//! at all.
//!
//! A backup is one file: a tar archive (`manifest.json` first, then a copy of the database), compressed with zstd,
//! followed by its own SHA-256. With a passphrase it is encrypted in the format of age, and contains the secret key and
//! the configuration file too. The programs `age`, `zstd` and `tar` open it without this program.
//!
//! Read next: `create.rs`, `verify.rs`, `restore.rs`; `archive.rs` for the file format, `storage.rs` for folders and
//! buckets.

mod archive;
mod backup_log;
mod context;
mod create;
mod encryption;
mod entry;
mod error;
mod files;
mod folder;
mod location;
mod manifest;
mod postgres;
mod restore;
mod s3;
pub mod schedule;
mod staging;
mod storage;
mod verify;

pub use context::BackupContext;
pub use create::{CreatedBackup, create_backup};
pub use entry::{BackupEntry, Verification};
pub use error::Error;
pub use location::Location;
pub use manifest::Manifest;
pub use restore::{Restored, restore_backup};
pub use storage::list_backups;
pub use verify::{VerifiedBackup, verify_backup};
