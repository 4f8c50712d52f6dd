//! The description of a backup; the first file in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Backend;

use super::error::Error;

/// The format that is written, and the newest one that is read.
pub(super) const FORMAT: u64 = 1;
pub(super) const NAME: &str = "manifest.json";
pub(super) const SECRET_KEY: &str = "secret.key";
pub(super) const CONFIGURATION: &str = "config.toml";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Increases when older programs cannot read the file.
    pub format: u64,
    /// The version of the program.
    pub version: String,
    /// The newest migration of the database.
    pub schema: i64,
    /// The oldest schema that a program must support to use the database; `schema` if missing.
    #[serde(default)]
    pub needs_schema: Option<i64>,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// RFC 3339, in UTC.
    pub created_at: String,
    /// The other files of the archive, in order.
    pub files: Vec<Listed>,
    /// Rows by table.
    pub counts: BTreeMap<String, u64>,
    /// Of all rows of the snapshot, one line of JSON each.
    pub rows_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub size_bytes: u64,
    pub sha256: String,
}

/// The name of the database in the archive.
pub(super) fn database_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "database.sqlite",
        Backend::Postgres => "database.pgdump",
    }
}

pub(super) fn database_kind(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

impl Manifest {
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let damaged =
            || Error::Damaged { file: file.to_owned(), reason: "its manifest cannot be read".to_owned() };
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        // First: other fields may differ in a newer format.
        let format = value["format"].as_u64().ok_or_else(damaged)?;
        if format > FORMAT {
            return Err(Error::NewerFormat { file: file.to_owned(), found: format, known: FORMAT });
        }
        let manifest: Manifest = serde_json::from_value(value).map_err(|_| damaged())?;
        manifest.backend().ok_or_else(damaged)?;
        Ok(manifest)
    }

    pub(super) fn backend(&self) -> Option<Backend> {
        [Backend::Sqlite, Backend::Postgres]
            .into_iter()
            .find(|backend| database_kind(*backend) == self.database)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|listed| listed.name == name)
    }
}
