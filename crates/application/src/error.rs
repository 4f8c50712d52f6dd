//! Why a use-case did not do what was asked; the only error that doors see.

use llm::LlmError;
#[cfg(feature = "mermaid")]
use mermend::picture::PictureError;
use store::StoreError;

/// When to try again what the server had no room for, in seconds.
pub const RETRY_AFTER_S: u64 = 2;

/// Variants are named by what the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input cannot be used; nothing was changed.
    #[error("{message}")]
    Invalid {
        /// Which part of the input.
        path: String,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// There is no such thing, or the caller may not see it.
    #[error("There is no such {0}; check its id.")]
    NotFound(&'static str),
    /// Something else has changed it meanwhile, or stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// It is not the one that the caller has seen any more.
    #[error("{0}")]
    Changed(String),
    /// Nobody knows who this is.
    #[error("{0}")]
    SignIn(String),
    /// Everybody knows who this is, and they may not.
    #[error("{0}")]
    Forbidden(String),
    /// Too much at once.
    #[error("{message}")]
    TooMany {
        /// What there is too much of, and what to do.
        message: String,
        /// When to try again, in seconds.
        wait_s: u64,
    },
    /// It is being done already; the answer is there in a moment.
    #[error("{message}")]
    TooEarly {
        /// What is being done, and what to do.
        message: String,
        /// When to ask again, in seconds.
        wait_s: u64,
    },
    /// A budget has no room for a question to a model, so it was not asked.
    #[error("{message}")]
    Spent {
        /// Which budget, how much of it is used, and what to do.
        message: String,
        /// When it is full again, in seconds; not there if waiting does not help.
        wait_s: Option<u64>,
    },
    /// No model could write the diagram, and the draft was not wanted.
    #[error("{message}")]
    Model {
        /// A stable code, for example `llm_timed_out`.
        code: &'static str,
        /// What happened and what to do.
        message: String,
    },
    /// The server has too much to do at the moment. Nothing was begun.
    #[error("{message}")]
    Busy {
        /// What there is too much of, and what to do.
        message: String,
        /// When to try again, in seconds.
        wait_s: u64,
    },
    /// Try again later.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours. The text is for the log, never for the caller.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The input cannot be used.
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        Error::Invalid { path: path.to_owned(), message: message.into() }
    }

    /// The server has too much to do. `what` says what there is too much of, and ends with `Try again` or the like.
    pub(crate) fn busy(what: &str) -> Self {
        Error::Busy { message: format!("{what} in {RETRY_AFTER_S} s."), wait_s: RETRY_AFTER_S }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "invalid_input",
            Error::NotFound(_) => "not_found",
            Error::Conflict(_) => "conflict",
            Error::Changed(_) => "changed",
            Error::SignIn(_) => "sign_in",
            Error::Forbidden(_) => "forbidden",
            Error::TooMany { .. } => "too_many",
            Error::TooEarly { .. } => "in_progress",
            Error::Spent { .. } => "budget_spent",
            Error::Model { code, .. } => code,
            Error::Busy { .. } => "busy",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Error::NotFound(what.as_str()),
            StoreError::Conflict { .. }
            | StoreError::FenceLost
            | StoreError::LastOwner
            | StoreError::LastCredential
            | StoreError::Full { .. }
            | StoreError::NotEmpty(_) => Error::Conflict(error.to_string()),
            StoreError::SignedOut => Error::SignIn(error.to_string()),
            StoreError::Stale { .. } => Error::Changed(error.to_string()),
            StoreError::Invalid { what } => Error::invalid(what.path(), error.to_string()),
            StoreError::FolderCycle | StoreError::FolderTooDeep { .. } => {
                Error::invalid("parent_id", error.to_string())
            }
            StoreError::OtherDiagram => Error::invalid("diagram_id", error.to_string()),
            StoreError::OtherProject => Error::invalid("project_id", error.to_string()),
            StoreError::Unavailable { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::ForeignDatabase
            | StoreError::Misconfigured { .. } => Error::Unavailable(error.to_string()),
            StoreError::Internal { .. } => Error::Internal(error.to_string()),
        }
    }
}

impl From<LlmError> for Error {
    fn from(error: LlmError) -> Self {
        Error::Model { code: error.code(), message: error.to_string() }
    }
}

#[cfg(feature = "mermaid")]
impl From<PictureError> for Error {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::NotDrawable(_) | PictureError::TooLarge(_) | PictureError::TooSlow => {
                Error::invalid("code", error.to_string())
            }
            PictureError::Failed(why) => Error::Internal(why),
        }
    }
}
