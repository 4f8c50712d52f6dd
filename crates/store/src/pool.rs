//! Connection pools and transactions: one SQL text for two databases.
//!
//! [`on_pool!`] and [`in_transaction!`] paste the same code once for each driver, so every statement is written once,
//! with `$1` placeholders, and is checked by the story test on both. (`sqlx::AnyPool` would do this at run time, but
//! fails to decode a SQLite boolean.) Where the databases differ there is an explicit `match` with a comment.
//!
//! SQLite has one writer at a time. So there is one writing connection with a queue of callers, in order and without
//! polling; the other connections are read-only. A write starts with `begin immediate`: a transaction that starts
//! with a read and writes later may be refused half-way (`SQLITE_BUSY`, which waiting does not cure) when another
//! process, a backup or the command line, wrote in between.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::watch;

use crate::StoreError;
use crate::log_mark;
use crate::ownership::sqlite_history;
use crate::postgres::{PgDatabase, Pooling};

/// Runs one reading expression, with `$db` bound to the pool of whichever database this is.
macro_rules! on_pool {
    ($pool:expr, $db:ident => $query:expr) => {
        match $pool {
            $crate::pool::Pool::Sqlite { readers: $db, .. } => $query,
            $crate::pool::Pool::Postgres($db) => $query,
        }
    };
}

/// Runs statements in one transaction bound to `$tx`; `?` in them leaves the function and rolls back.
macro_rules! in_transaction {
    ($pool:expr, $tx:ident => $work:expr) => {
        match $pool {
            $crate::pool::Pool::Sqlite { writer, committed, .. } => {
                let mut $tx = writer.begin_with("begin immediate").await?;
                let done = $work;
                $tx.commit().await?;
                $crate::pool::committed(writer, committed).await;
                done
            }
            $crate::pool::Pool::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let done = $work;
                $tx.commit().await?;
                done
            }
        }
    };
}

pub(crate) use {in_transaction, on_pool};

/// After a commit on SQLite: wakes listeners and, from time to time, marks the file.
pub(crate) async fn committed(writer: &SqlitePool, commits: &watch::Sender<u64>) {
    commits.send_modify(|count| *count = count.wrapping_add(1));
    let is_due = commits.borrow().is_multiple_of(log_mark::COMMITS);
    if is_due {
        log_mark::mark(writer).await;
    }
}

/// Options of the connection pools. The defaults suit one process on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Maximum number of connections; on SQLite of readers, beside the one writer.
    pub max_connections: u32,
    /// How long to wait for a free connection.
    pub acquire_timeout: Duration,
    /// SQLite only: how long to wait for another process's write.
    pub busy_timeout: Duration,
    /// Read-only: no file is created, no journal mode is set, and SQLite refuses to write.
    pub read_only: bool,
    /// PostgreSQL only.
    pub pooling: Pooling,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_secs(10),
            busy_timeout: Duration::from_secs(5),
            read_only: false,
            pooling: Pooling::Auto,
        }
    }
}

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file on this machine.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

#[derive(Clone)]
pub(crate) enum Pool {
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        file: OpenedFile,
        /// Number of commits of this process; change listeners watch it.
        committed: watch::Sender<u64>,
    },
    Postgres(PgDatabase),
}

/// Names the database, and nothing of the URL: the pools' own `Debug` would print the password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.backend()).finish()
    }
}

impl Pool {
    pub(crate) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(&sqlite_path(url)?, options).await,
            Some("postgres" | "postgresql") => {
                let (most, timeout) = (options.max_connections, options.acquire_timeout);
                PgDatabase::open(url, options.pooling, most, timeout).await.map(Pool::Postgres)
            }
            // The URL is not repeated: it may be a password in an unknown form.
            _ => Err(StoreError::misconfigured(
                "The database URL must begin with sqlite: or postgres:, for example sqlite:./data/ba-copilot.db or \
                 postgres://user:password@host/database.",
            )),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Sqlite { .. } => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    pub(crate) async fn ping(&self, within: Duration) -> Result<(), StoreError> {
        let ask = async {
            match self {
                // `select 1` would not touch the file; the schema's version is in its first page.
                Self::Sqlite { readers, file, .. } => {
                    file.is_still_there().await?;
                    sqlx::query("select schema_version from pragma_schema_version").execute(readers).await?;
                }
                // Without parameters, so that no statement is prepared.
                Self::Postgres(db) => {
                    sqlx::raw_sql("select 1").execute(db.pool()).await?;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(within, ask).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(StoreError::Unavailable { why })) => Err(StoreError::Unavailable { why }),
            // For a ping, every other error also means no answer.
            Ok(Err(other)) => Err(StoreError::unavailable(other.to_string())),
            Err(_) => Err(StoreError::unavailable(format!("no answer within {} ms", within.as_millis()))),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            // The writer last, so that the last connection folds the log into the file.
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(db) => db.pool().close().await,
        }
    }
}

/// The path in `sqlite:PATH`, `sqlite://PATH` or `sqlite:///PATH`, taken literally (no percent signs, no parameters).
fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.starts_with(":memory:") || path.contains("mode=memory") {
        return Err(StoreError::misconfigured(
            "A database in memory is empty for every connection and gone at exit; name a file instead, for example \
             sqlite:./data/ba-copilot.db.",
        ));
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(StoreError::misconfigured(
            "The database URL names no file; write one, for example sqlite:./data/ba-copilot.db.",
        ));
    }
    if path.contains(['?', '\0']) {
        return Err(StoreError::misconfigured(
            "A sqlite: URL takes a path and no parameters; remove everything from the question mark on.",
        ));
    }
    // Absolute, because SQLite reads a name that begins with `file:` as a URL, and because the working directory may
    // change before the next connection opens.
    std::path::absolute(path)
        .map_err(|error| StoreError::misconfigured(format!("The path {path} cannot be resolved: {error}.")))
}

async fn open_sqlite(path: &Path, options: &ConnectOptions) -> Result<Pool, StoreError> {
    if !options.read_only {
        create_private_file(path).map_err(|error| {
            let path = path.display();
            StoreError::misconfigured(format!(
                "The database file {path} cannot be created or opened: {error}; check the path and its permissions."
            ))
        })?;
    }
    let file = OpenedFile::of(path)?;
    log_mark::refuse_without_log(path).await?;

    let both = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        // FULL: a commit is on disk before it is acknowledged, also when the power goes.
        .synchronous(SqliteSynchronous::Full);
    if !options.read_only && std::fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        // Before the file is switched to the write-ahead log. `Store::migrate` checks a file again that is locked
        // now.
        let looking = both.clone().pragma("query_only", "on");
        match look_at_owner(&looking).await {
            Ok(()) | Err(StoreError::Unavailable { .. }) => (),
            Err(error) => return Err(error),
        }
    }
    // Limits the size of the log after a large write.
    let writing = match options.read_only {
        true => both.clone().pragma("query_only", "on"),
        false => both
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", "67108864")
            .pragma("wal_autocheckpoint", log_mark::PAGES),
    };
    let reading = both.pragma("query_only", "on");

    let writer = tokio::time::timeout(options.busy_timeout, async {
        loop {
            // Local connections neither age nor break, so the pools' renewals and tests are off.
            let opened = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(options.acquire_timeout)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                // A full disk makes SQLite roll back by itself; the driver's own rollback then fails, and the driver
                // keeps assuming an open transaction. The ping waits until the rollback was tried.
                .before_acquire(|connection, _| {
                    Box::pin(async move {
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
                .connect_with(writing.clone())
                .await;
            match opened.map_err(StoreError::from) {
                // SQLite does not wait for its lock when a new file is being switched to the write-ahead log by
                // another process at the same moment, so we do.
                Err(StoreError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                done => break done,
            }
        }
    })
    .await
    .map_err(|_| StoreError::unavailable("another process is holding the file"))??;

    let journal_mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&writer).await?;
    if journal_mode != "wal" && !options.read_only {
        let path = path.display();
        return Err(StoreError::misconfigured(format!(
            "SQLite cannot keep a write-ahead log beside {path}; use a folder on a local disk, not on a network share."
        )));
    }

    let readers = SqlitePoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(reading);
    Ok(Pool::Sqlite { writer, readers, file, committed: watch::Sender::new(0) })
}

/// Refuses the file of another program.
async fn look_at_owner(options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let looked = sqlite_history(&mut connection).await;
    connection.close().await?;
    looked.map(|_| ())
}

/// Creates the file and its folders for their owner alone. SQLite gives its log files the same mode. An existing file
/// keeps its mode.
#[cfg(unix)]
pub(crate) fn create_private_file(path: &Path) -> std::io::Result<()> {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    let folder = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // The directory entry has to be on disk too, or a power cut could lose the whole file.
        Ok(file) => file.sync_all().and_then(|()| File::open(folder)?.sync_all()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates the file and its folders; permissions are inherited from the folder.
#[cfg(not(unix))]
pub(crate) fn create_private_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The identity of the opened file, to detect that the path leads to another one.
#[derive(Debug, Clone)]
pub(crate) struct OpenedFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl OpenedFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn of(path: &Path) -> Result<Self, StoreError> {
        let identity = std::fs::metadata(path)
            .map(|metadata| identity(&metadata))
            .map_err(|error| StoreError::unavailable(error.kind().to_string()))?;
        Ok(Self { path: path.to_owned(), identity })
    }

    async fn is_still_there(&self) -> Result<(), StoreError> {
        match tokio::fs::metadata(&self.path).await {
            Ok(metadata) if identity(&metadata) == self.identity => Ok(()),
            _ => {
                Err(StoreError::unavailable("the database file was deleted or replaced, restart the program"))
            }
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> (u64, u64) {
    (0, 0) // An open file cannot be deleted or replaced there, so there is nothing to notice.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_url_is_a_literal_path() {
        for (url, path) in [
            ("sqlite:/var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:/a b/50%.db", "/a b/50%.db"),
        ] {
            assert_eq!(sqlite_path(url).unwrap(), Path::new(path), "{url}");
        }
        let here = std::env::current_dir().unwrap();
        for url in ["sqlite:data/x.db", "sqlite:./data/x.db", "sqlite://data/x.db"] {
            assert_eq!(sqlite_path(url).unwrap(), here.join("data/x.db"), "{url}");
        }
        assert_eq!(sqlite_path("sqlite:file:x.db").unwrap(), here.join("file:x.db"));
    }

    #[tokio::test]
    async fn sqlite_is_opened_for_durability() {
        let folder = tempfile::tempdir().unwrap();
        let pool = open_sqlite(&folder.path().join("x.db"), &ConnectOptions::default()).await.unwrap();
        let Pool::Sqlite { writer, readers, .. } = &pool else { panic!("not SQLite") };
        for (pragma, of_writer, of_reader) in [
            ("select journal_mode from pragma_journal_mode", "wal", "wal"),
            ("select cast(synchronous as text) from pragma_synchronous", "2", "2"),
            ("select cast(foreign_keys as text) from pragma_foreign_keys", "1", "1"),
            ("select cast(timeout as text) from pragma_busy_timeout", "5000", "5000"),
            ("select cast(query_only as text) from pragma_query_only", "0", "1"),
        ] {
            let writer: String = sqlx::query_scalar(pragma).fetch_one(writer).await.unwrap();
            let reader: String = sqlx::query_scalar(pragma).fetch_one(readers).await.unwrap();
            assert_eq!((writer.as_str(), reader.as_str()), (of_writer, of_reader), "{pragma}");
        }
        pool.close().await;
    }

    #[tokio::test]
    async fn ping_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let options = ConnectOptions { max_connections: 1, ..ConnectOptions::default() };
        let pool = open_sqlite(&folder.path().join("x.db"), &options).await.unwrap();
        let Pool::Sqlite { readers, .. } = &pool else { panic!("not SQLite") };
        let held = readers.acquire().await.unwrap();
        let late = pool.ping(Duration::from_millis(30)).await;
        assert_eq!(late, Err(StoreError::unavailable("no answer within 30 ms")));
        drop(held);
        pool.ping(Duration::from_secs(5)).await.unwrap();
        pool.close().await;
    }
}
