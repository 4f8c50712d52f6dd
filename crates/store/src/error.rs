//! Errors of the store, named by what the caller does about them.
//!
//! Never carries the driver's own error: it may quote the contents of a row (PostgreSQL's "Failing row contains …")
//! or a part of the database URL. What remains are codes, names of constraints, and messages of the databases about
//! statements, not about values.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::row::row;
use crate::subject::{Constraint, Field, Resource};
use crate::tls;

/// Unless a variant says otherwise, nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("There is no such {what}; check its id.")]
    NotFound { what: Resource },
    #[error("The {constraint} is taken already; read what is stored under it, or use another one.")]
    Conflict { constraint: Constraint },
    /// The revision is not the one that the caller has read.
    #[error("The {what} has been changed since you read it; read it again, then change it.")]
    Stale { what: Resource },
    /// Another worker has taken over the job or the request that the change was made for, see [`Fence`](crate::Fence).
    #[error("Another process has taken over this work; its result counts.")]
    FenceLost,
    #[error("A project needs an owner; make another member an owner first.")]
    LastOwner,
    /// The account would be left without a way to sign in.
    #[error("This is the only way in which you can sign in; choose a password first.")]
    LastCredential,
    /// The session has ended, or the account has changed since the user authenticated.
    #[error("The session has ended, or the account has been changed meanwhile. Sign in again.")]
    SignedOut,
    #[error(
        "There are {most} {what}s already, which is the limit. Delete one that is not needed, then try again."
    )]
    Full { what: Resource, most: i64 },
    #[error("{}", not_empty(.0))]
    NotEmpty(FolderContents),
    #[error("A folder cannot be moved into itself or one of its subfolders. Choose another parent.")]
    FolderCycle,
    #[error("Folders can be nested at most {most} deep. Choose another parent.")]
    FolderTooDeep { most: i64 },
    #[error("The generation is of another diagram than its version.")]
    OtherDiagram,
    #[error("The generation is of another project than its diagram.")]
    OtherProject,
    #[error("The {what} cannot be stored as it is; correct it and try again.")]
    Invalid { what: Field },
    /// Try again later; the input is fine.
    #[error("The database does not answer now ({why}); see that it is running and has room, and try again.")]
    Unavailable {
        /// A few words for the operator, free of contents and secrets.
        why: String,
    },
    /// A newer program wrote the database. Do not write to it.
    #[error(
        "The database has schema {found} and this program knows schemas up to {known}; run the newer program, or \
         restore a backup made before the upgrade."
    )]
    NewerSchema {
        /// The newest migration in the database.
        found: i64,
        /// The newest migration in this program.
        known: i64,
    },
    /// The database holds the tables of another program.
    #[error(
        "The database belongs to another program: it holds tables, and its history does not begin with a migration \
         of this program. Nothing was changed in it. Set DATABASE_URL or data.dir to a database of this program, or \
         to an empty one."
    )]
    ForeignDatabase,
    /// The operator has to change the configuration or the database itself.
    #[error("{problem}")]
    Misconfigured {
        /// One sentence: what is wrong and what to do.
        problem: String,
    },
    /// A fault of this program.
    #[error(
        "The database refused a statement of this program ({why}); this is a fault in the program, report it."
    )]
    Internal {
        /// A few words for the developer, free of contents and secrets.
        why: String,
    },
}

/// What a folder holds that is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderContents {
    pub folders: i64,
    /// Diagrams, archived ones included.
    pub diagrams: i64,
    pub archived: i64,
}

row!(FolderContents { folders, diagrams, archived });

/// Why the database did not carry out a statement, as counted in `ba_copilot_database_errors_total`.
pub const ERROR_REASONS: &[&str] = &["unavailable", "misconfigured", "internal"];

/// What SQLSTATE 28000 can mean besides.
const NOT_ADMITTED: &str = " Or pg_hba.conf of the server admits this user only with TLS (sslmode=require in the \
                            URL), with a client certificate (sslcert and sslkey), or from other addresses.";

const MIGRATE_FIRST: &str =
    "The tables of this program are missing or old in this database; run its migrations.";

fn not_empty(inside: &FolderContents) -> String {
    let count = |n: i64, one: &str| match n {
        1 => format!("one {one}"),
        n => format!("{n} {one}s"),
    };
    let mut said = Vec::new();
    if inside.folders > 0 {
        said.push(count(inside.folders, "folder"));
    }
    if inside.diagrams > 0 {
        let put_away =
            if inside.archived > 0 { format!(" ({} archived)", inside.archived) } else { String::new() };
        said.push(format!("{}{put_away}", count(inside.diagrams, "diagram")));
    }
    format!("The folder is not empty: {}. Move its contents, then delete the folder.", said.join(" and "))
}

impl StoreError {
    pub(crate) fn misconfigured(problem: impl Into<String>) -> Self {
        Self::Misconfigured { problem: problem.into() }
    }

    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into() }
    }

    fn internal(why: impl Into<String>) -> Self {
        Self::Internal { why: why.into() }
    }

    /// Counts faults; a taken name is an answer, not a fault.
    fn counted(self) -> Self {
        let reason = match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Internal { .. } => "internal",
            _ => return self,
        };
        metrics::counter!("ba_copilot_database_errors_total", "reason" => reason).increment(1);
        self
    }
}

/// For `map_err` on a statement whose only foreign key is to `what`: SQLite does not say which key was violated, so
/// the place of the call has to.
pub(crate) fn or_missing(what: Resource) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match &error {
        sqlx::Error::Database(it) if it.kind() == ErrorKind::ForeignKeyViolation => {
            StoreError::NotFound { what }
        }
        _ => error.into(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::of(error).counted()
    }
}

impl StoreError {
    fn of(error: sqlx::Error) -> Self {
        if let Some(explained) = tls::explain(&error) {
            let explained = explained.trim_end_matches('.');
            return Self::unavailable(format!("the encrypted connection failed: {explained}"));
        }
        match error {
            sqlx::Error::Database(it) => from_database(it.as_ref()),
            sqlx::Error::Io(it) => Self::unavailable(it.kind().to_string()),
            sqlx::Error::PoolTimedOut => Self::unavailable("no connection became free in time"),
            sqlx::Error::PoolClosed => Self::unavailable("the store is closed"),
            sqlx::Error::WorkerCrashed => Self::unavailable("a connection broke"),
            sqlx::Error::Protocol(_) => Self::unavailable("the connection spoke out of turn"),
            sqlx::Error::BeginFailed => Self::unavailable("a transaction could not begin"),
            sqlx::Error::Configuration(_) => Self::misconfigured(
                "The settings of the database connection cannot be used; check the database URL and its options.",
            ),
            // The driver's text quotes the value that did not decode, so only the column is named.
            sqlx::Error::ColumnDecode { index, .. } => {
                Self::internal(format!("column {index} did not decode"))
            }
            sqlx::Error::ColumnNotFound(column) => {
                Self::internal(format!("column {column} was not returned"))
            }
            sqlx::Error::RowNotFound => Self::internal("a row was expected and none came"),
            sqlx::Error::Migrate(it) => (*it).into(),
            _ => Self::internal("the driver failed"),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(it) | MigrateError::ExecuteMigration(it, _) => it.into(),
            MigrateError::VersionMismatch(version) => changed_migration(version),
            other => Self::internal(format!("migrations: {other}")),
        }
    }
}

pub(crate) fn changed_migration(version: i64) -> StoreError {
    StoreError::misconfigured(format!(
        "Migration {version} was applied to this database in another form than this program has; use the program \
         that made it, or restore a backup."
    ))
}

fn from_database(error: &dyn DatabaseError) -> StoreError {
    if error.is_unique_violation() {
        let spelled = error.constraint().unwrap_or_else(|| error.message());
        let spelled = spelled.trim_start_matches("UNIQUE constraint failed: ");
        return match Constraint::of_spelling(spelled) {
            Some(constraint) => StoreError::Conflict { constraint },
            None => StoreError::internal("a unique constraint that has no name here"),
        };
    }
    let code = error.code().unwrap_or_default();
    // Only PostgreSQL names constraints and tables; only SQLite has codes that are plain numbers.
    match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        Some(it) => from_postgres(&code, it),
        None => from_sqlite(&code, error.message()),
    }
}

/// Result codes: <https://www.sqlite.org/rescode.html>. The low byte is the class. SQLite's messages name tables and
/// columns and never a bound value.
fn from_sqlite(code: &str, message: &str) -> StoreError {
    let class = code.parse::<i32>().map_or(0, |code| code & 0xff);
    match class {
        5 | 6 => StoreError::unavailable("another process is writing to the file"),
        7 => StoreError::unavailable("no memory"),
        10 => StoreError::unavailable(format!("the disk failed, code {code}")),
        13 => StoreError::unavailable("the disk is full"),
        15 => StoreError::unavailable("the file's locks are contended"),
        3 | 8 | 14 => StoreError::misconfigured(format!(
            "The database file cannot be opened or written (SQLite code {code}); check that this user may write the \
             file and its folder."
        )),
        11 => StoreError::misconfigured("The database file is damaged; restore it from a backup."),
        26 => StoreError::misconfigured(
            "The file is not a SQLite database; name another one in the database URL.",
        ),
        1 if message.starts_with("no such table") || message.contains("has no column") => {
            StoreError::misconfigured(MIGRATE_FIRST)
        }
        _ => StoreError::internal(format!("SQLite code {code}: {message}")),
    }
}

/// SQLSTATE codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. The message is left out, because
/// it quotes values ("invalid input syntax for …: …").
fn from_postgres(code: &str, error: &sqlx::postgres::PgDatabaseError) -> StoreError {
    match code {
        "42P01" | "42703" => StoreError::misconfigured(MIGRATE_FIRST),
        "28000" | "28P01" => StoreError::misconfigured(format!(
            "PostgreSQL refused the user name or password (SQLSTATE {code}); correct the database URL.{}",
            if code == "28000" { NOT_ADMITTED } else { "" }
        )),
        "26000" | "42P05" => StoreError::misconfigured(format!(
            "PostgreSQL does not have the statement that was prepared on this connection (SQLSTATE {code}): a pooler \
             in transaction mode is between this program and the server. Set data.pooler to transaction and restart, \
             or set DATABASE_URL to the server itself."
        )),
        "3D000" => StoreError::misconfigured(
            "PostgreSQL has no database of the name in the database URL; create it or correct the URL.",
        ),
        "42501" => StoreError::misconfigured(
            "The PostgreSQL user may not do what this program needs; grant it the right to create and use tables.",
        ),
        // A replica that is not, or no longer, the primary.
        "25006" => StoreError::unavailable("the server is read-only now"),
        _ if ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)) => {
            StoreError::unavailable(format!("SQLSTATE {code}"))
        }
        _ => {
            let place = error.constraint().or(error.table()).unwrap_or("unnamed");
            StoreError::internal(format!("SQLSTATE {code} at {place}"))
        }
    }
}
