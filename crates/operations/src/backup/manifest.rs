//! What a backup says of itself; the first thing in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Backend;

use super::Error;

/// The format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 1;
/// Its name in the archive.
pub(super) const NAME: &str = "manifest.json";
/// The secret key of the installation, in the archive.
pub(super) const SECRET_KEY: &str = "secret.key";
/// The configuration file, in the archive.
pub(super) const CONFIGURATION: &str = "config.toml";

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the file; grows when an older program could not read it.
    pub format: u64,
    /// Of the program that made it.
    pub version: String,
    /// The newest migration of the database.
    pub schema: i64,
    /// The least schema that a program must know to work with that database; where it is not said, that schema itself.
    #[serde(default)]
    pub needs_schema: Option<i64>,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// RFC 3339, in UTC.
    pub created_at: String,
    /// Everything else in the archive, in its order.
    pub files: Vec<Listed>,
    /// Rows, by table.
    pub counts: BTreeMap<String, u64>,
    /// Of everything that is kept, a line of JSON for each row, at the very moment of the copy.
    pub rows_sha256: String,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name, without any folder.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// The name of the copy of a database.
pub(super) fn database_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "database.sqlite",
        Backend::Postgres => "database.pgdump",
    }
}

/// The name of a kind of database.
pub(super) fn word(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

impl Manifest {
    /// Reads one, of whichever format.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let damaged =
            || Error::Damaged { file: file.to_owned(), why: "its manifest cannot be read".to_owned() };
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        // Asked first: the rest may look otherwise in a newer one.
        let format = value["format"].as_u64().ok_or_else(damaged)?;
        if format > FORMAT {
            return Err(Error::NewerFormat { file: file.to_owned(), found: format, known: FORMAT });
        }
        let manifest: Manifest = serde_json::from_value(value).map_err(|_| damaged())?;
        manifest.backend().ok_or_else(damaged)?;
        Ok(manifest)
    }

    /// The kind of database in it.
    pub(super) fn backend(&self) -> Option<Backend> {
        [Backend::Sqlite, Backend::Postgres].into_iter().find(|backend| word(*backend) == self.database)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|listed| listed.name == name)
    }
}
