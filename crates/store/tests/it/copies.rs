//! A SQLite file that was copied without its write-ahead log is noticed; a complete one is not suspected.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::Connection;
use store::{ConnectOptions, Store, StoreError};

use crate::databases::{NOON, SqliteFile, an_event};

fn log_of(path: &Path) -> PathBuf {
    format!("{}-wal", path.display()).into()
}

/// Copies the file, and its log if there is one and `with_log`.
fn copy(file: &SqliteFile, with_log: bool) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (PathBuf::from(file.path()), folder.path().join("copy.db"));
    fs::copy(&from, &to).unwrap();
    if with_log && log_of(&from).exists() {
        fs::copy(log_of(&from), log_of(&to)).unwrap();
    }
    (folder, to)
}

async fn open(path: &Path, read_only: bool) -> Result<Store, StoreError> {
    let options = ConnectOptions { read_only, ..ConnectOptions::default() };
    Store::connect(&format!("sqlite:{}", path.display()), &options).await
}

/// The number of audit events in a file that must open.
async fn count(path: &Path) -> usize {
    let store = open(path, false).await.unwrap();
    let mut lines = 0;
    store.dump(|line| lines += usize::from(line.starts_with("{\"audit_events\""))).await.unwrap();
    store.close().await;
    lines
}

async fn is_refused(path: &Path) {
    for read_only in [true, false] {
        let refused = open(path, read_only).await.err();
        let Some(StoreError::Misconfigured { problem }) = refused else { panic!("{refused:?}") };
        let log = log_of(path).display().to_string();
        assert!(problem.contains("without its log") && problem.contains(&log), "{problem}");
    }
}

#[tokio::test]
async fn copy_of_an_open_file_without_its_log_is_refused() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    let (_folder, alone) = copy(&file, false);
    is_refused(&alone).await;
    // Also after the log was moved into the file, which happens from time to time.
    for event in 0..200 {
        store.record_audit_event(&an_event("a", "s", event)).await.unwrap();
        if event % 7 == 0 {
            let (_folder, alone) = copy(&file, false);
            is_refused(&alone).await;
            let (_folder, both) = copy(&file, true);
            assert_eq!(count(&both).await, usize::try_from(event).unwrap() + 1);
        }
    }
    // What is left can be used after all.
    let (_folder, alone) = copy(&file, false);
    fs::write(log_of(&alone), "").unwrap();
    let accepted = open(&alone, false).await.unwrap();
    accepted.migrate(NOON).await.unwrap();
    accepted.close().await;
    assert!(count(&alone).await > 100);
    store.close().await;
}

#[tokio::test]
async fn complete_file_is_accepted() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    store.record_audit_event(&an_event("a", "s", 0)).await.unwrap();
    let backup = file.folder.path().join("backup.db");
    store.snapshot_into(&backup).await.unwrap();
    assert_eq!(count(&backup).await, 1);
    // As after a crash: another program completes the file from its log and deletes the log.
    let (_folder, crashed) = copy(&file, true);
    let url = format!("sqlite:{}", crashed.display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("select count(*) from audit_events").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(!log_of(&crashed).exists());
    assert_eq!(count(&crashed).await, 1);
    // After the end of the server the file is complete alone.
    store.close().await;
    let (_folder, alone) = copy(&file, false);
    assert_eq!(count(&alone).await, 1);
    // Opening and closing without writing changes nothing about that.
    let looked = open(&alone, true).await.unwrap();
    looked.check_schema().await.unwrap();
    looked.close().await;
    assert_eq!(count(&alone).await, 1);
}
