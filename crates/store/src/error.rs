//! What can go wrong with the store, named by what the caller does about it.
//!
//! Never carries the driver's own error: that one may quote the contents of a row (PostgreSQL's "Failing row
//! contains …") or a part of the database URL. What is kept are codes, names of constraints, and those messages of the
//! databases that speak of statements, not of values.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::FolderContents;

/// Why a call of the store did not do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Tell the caller that it is not there.
    #[error("There is no such {what}; check its id.")]
    NotFound {
        /// A word such as `project` or `diagram`.
        what: &'static str,
    },
    /// Something else has that name already. Nothing was written.
    #[error("The {constraint} is taken already; read what is stored under it, or use another one.")]
    Conflict {
        /// What is taken, the same word on both databases, such as `project id` or `version number`.
        constraint: &'static str,
    },
    /// Somebody else changed it after the caller read it. Nothing was written.
    #[error("The {what} has been changed since you read it; read it again, then change it.")]
    Stale {
        /// What has changed.
        what: &'static str,
    },
    /// Nobody would own the project any more. Nothing was written.
    #[error("A project needs an owner; make somebody else an owner first.")]
    LastOwner,
    /// Somebody could not sign in any more. Nothing was written.
    #[error("This is the only way in which you can sign in; choose a password first.")]
    LastWayIn,
    /// The session has ended, or the account has changed since the person proved who they are. Nothing was written.
    #[error("The session has ended, or the account has been changed meanwhile. Sign in again.")]
    SignedOut,
    /// There are as many as there may be. Nothing was written.
    #[error(
        "There are {most} {what} already, which is the limit. Delete one that is not needed, then try again."
    )]
    Full {
        /// What there are so many of, in the plural.
        what: &'static str,
        /// How many there may be.
        most: i64,
    },
    /// What is to be taken away still holds something. Nothing was written.
    #[error("{}", not_empty(.0))]
    NotEmpty(FolderContents),
    /// The caller handed over something that cannot be kept. Nothing was written.
    #[error("The {what} cannot be kept as it is; correct it and try again.")]
    Invalid {
        /// Which part of the input.
        what: &'static str,
    },
    /// Try again later; the input is fine.
    #[error("The database does not answer now ({why}); see that it is running and has room, and try again.")]
    Unavailable {
        /// A few words for the operator, free of contents and secrets.
        why: String,
    },
    /// The database was written by a newer program. Do not write to it.
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
    /// The database holds the tables of another program. Nothing was changed in it.
    #[error(
        "The database belongs to another program: it holds tables, and its history does not begin with a migration of this program. \
         Nothing was changed in it. Set DATABASE_URL or data.dir to a database of this program, or to an empty one."
    )]
    ForeignDatabase,
    /// A person has to change the configuration or the database itself.
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
        /// A few words for whoever mends it, free of contents and secrets.
        why: String,
    },
}

/// The unique constraints: how SQLite spells them, how PostgreSQL spells them, how callers know them.
const CONSTRAINTS: [(&str, &str, &str); 35] = [
    ("projects.id", "projects_pkey", "project id"),
    ("diagrams.id", "diagrams_pkey", "diagram id"),
    ("generations.id", "generations_pkey", "generation id"),
    ("diagram_versions.id", "diagram_versions_pkey", "version id"),
    (
        "diagram_versions.diagram_id, diagram_versions.number",
        "diagram_versions_diagram_id_number_key",
        "version number",
    ),
    ("users.id", "users_pkey", "user id"),
    ("users.email", "users_email_key", "e-mail address"),
    ("sessions.id", "sessions_pkey", "session id"),
    ("tokens.id", "tokens_pkey", "token id"),
    ("invitations.id", "invitations_pkey", "invitation id"),
    ("audit_events.id", "audit_events_pkey", "audit event id"),
    ("requirements.id", "requirements_pkey", "requirement id"),
    ("trace_links.id", "trace_links_pkey", "trace link id"),
    (
        "trace_links.requirement_id, trace_links.diagram_id, trace_links.element",
        "trace_links_requirement_id_diagram_id_element_key",
        "trace link",
    ),
    ("glossary_terms.id", "glossary_terms_pkey", "term id"),
    ("glossary_terms.project_id, glossary_terms.folded", "glossary_terms_project_id_folded_key", "term"),
    ("comments.id", "comments_pkey", "comment id"),
    ("approvals.id", "approvals_pkey", "approval id"),
    ("baselines.id", "baselines_pkey", "baseline id"),
    ("data_keys.id", "data_keys_pkey", "data key id"),
    ("provider_keys.id", "provider_keys_pkey", "provider key id"),
    (
        "provider_keys.project_id, provider_keys.provider",
        "provider_keys_project_id_provider_key",
        "provider key",
    ),
    ("provider_keys.user_id, provider_keys.provider", "provider_keys_user_id_provider_key", "provider key"),
    ("jobs.id", "jobs_pkey", "job id"),
    ("idempotent_requests.key_hash", "idempotent_requests_pkey", "idempotency key"),
    ("webhooks.id", "webhooks_pkey", "webhook id"),
    ("webhook_deliveries.id", "webhook_deliveries_pkey", "delivery id"),
    ("budgets.id", "budgets_pkey", "budget id"),
    ("budgets.project_id", "budgets_project_id_key", "budget of the project"),
    ("budgets.user_id", "budgets_user_id_key", "budget of the person"),
    ("budget_use.budget_id, budget_use.period_start", "budget_use_pkey", "period of the budget"),
    ("folders.id", "folders_pkey", "folder id"),
    ("index 'folders_by_name'", "folders_by_name", "folder name"),
    ("identities.issuer, identities.subject", "identities_pkey", "identity"),
    ("recovery_codes.secret_hash", "recovery_codes_pkey", "recovery code"),
];

/// Why the database did not carry out a statement, as counted in `ba_copilot_database_errors_total`.
pub const ERROR_REASONS: &[&str] = &["unavailable", "misconfigured", "internal"];

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
    format!(
        "There is something in this folder: {}. Move it elsewhere, then delete the folder.",
        said.join(" and ")
    )
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

    /// Counts it, unless it is what the caller asked for: a name that is taken is an answer, not a fault.
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
pub(crate) fn or_missing(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
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
        match error {
            sqlx::Error::Database(it) => from_database(it.as_ref()),
            sqlx::Error::Io(it) => Self::unavailable(it.kind().to_string()),
            sqlx::Error::Tls(_) => Self::unavailable("the encrypted connection could not be made"),
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
        let known = CONSTRAINTS.iter().find(|(sqlite, postgres, _)| [*sqlite, *postgres].contains(&spelled));
        return match known {
            Some((_, _, name)) => StoreError::Conflict { constraint: name },
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
            "PostgreSQL refused the user name or password (SQLSTATE {code}); correct the database URL."
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
