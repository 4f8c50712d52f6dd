//! Notices a SQLite file that was copied without its write-ahead log, which holds the latest changes.
//!
//! The header of a database has a number for its program (`user_version`). A *mark* writes [`INCOMPLETE`], moves the
//! log into the file, and then writes [`COMPLETE`], which stays in the log. So the file alone says that it is
//! incomplete, and the file with its log says the opposite, whoever reads it: after a crash the log completes the file,
//! and so does the last connection that is closed. SQLite's own checkpoints would end this, so the writer makes none
//! before its log has an unusual size, and the mark is repeated instead.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, SqlitePool};

use crate::StoreError;

/// Numbers that no other program is likely to use.
const INCOMPLETE: i64 = 0x0bac_0001;
const COMPLETE: i64 = 0x0bac_0002;

/// So many commits between two marks; about as many pages as SQLite leaves in a log.
pub(crate) const COMMITS: u64 = 64;
/// Pages after which SQLite moves the log into the file although it was not marked.
pub(crate) const PAGES: &str = "8192";

/// Marks the file and moves the log into it. A failure is not one of the caller: the next mark tries again.
pub(crate) async fn mark(writer: &SqlitePool) {
    let Ok(mut db) = writer.acquire().await else { return };
    let set = |number: i64| AssertSqlSafe(format!("pragma user_version = {number}"));
    let marked = sqlx::raw_sql(set(INCOMPLETE)).execute(&mut *db).await;
    // Only as far as readers allow. Also where the disk is full: it makes room.
    let _ = sqlx::raw_sql("pragma wal_checkpoint(passive)").execute(&mut *db).await;
    if marked.is_ok() {
        let _ = sqlx::raw_sql(set(COMPLETE)).execute(&mut *db).await;
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Refuses a file that is marked as incomplete and has no log.
pub(crate) async fn refuse_without_log(path: &Path) -> Result<(), StoreError> {
    let log = log_of(path);
    // A process that ends completes the file before it deletes the log, and one that starts creates the log before it
    // marks the file. So the log is looked for before and after the file.
    if log.exists() || !is_incomplete(path).await || log.exists() {
        return Ok(());
    }
    let (path, log) = (path.display(), log.display());
    Err(StoreError::misconfigured(format!(
        "The database file {path} is not complete: it was copied without its log {log}, or the log was deleted, and \
         with it the latest changes. Copy both files again after the server has stopped, or restore a backup with \
         `ba-copilot backup restore`. If the log is lost for good, create an empty file {log} and start the server, \
         to continue with what is left."
    )))
}

/// Reads the file without its log. Through SQLite: opening and closing the file otherwise would end the locks that this
/// process holds on it.
async fn is_incomplete(path: &Path) -> bool {
    let alone = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    // What cannot be read is reported when it is opened.
    let Ok(mut db) = SqliteConnection::connect_with(&alone).await else { return false };
    let number: Result<i64, _> =
        sqlx::query_scalar("select user_version from pragma_user_version").fetch_one(&mut db).await;
    let _ = db.close().await;
    number.is_ok_and(|number| number == INCOMPLETE)
}
