//! The error type of all use cases.

use llm::LlmError;
#[cfg(feature = "mermaid")]
use mermend::picture::PictureError;
use store::StoreError;

/// Suggested delay after [`Error::Busy`], in seconds.
pub const RETRY_AFTER_S: u64 = 2;

/// The texts are for the caller, except that of [`Error::Internal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Invalid {
        /// Field of the request.
        path: String,
        message: String,
    },
    /// The resource does not exist, or the caller may not see it.
    #[error("There is no such {0}. Check its id.")]
    NotFound(&'static str),
    /// The state of a resource does not allow the request.
    #[error("{0}")]
    Conflict(String),
    /// The expected revision (`If-Match`) is not the current one.
    #[error("{0}")]
    RevisionMismatch(String),
    /// The caller is not authenticated, or the credentials are wrong.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller is authenticated and lacks the permission.
    #[error("{0}")]
    Forbidden(String),
    /// A rate limit was exceeded.
    #[error("{message}")]
    RateLimited { message: String, wait_s: u64 },
    /// A request with the same idempotency key is running.
    #[error("{message}")]
    InProgress { message: String, wait_s: u64 },
    /// A budget does not cover the question to the model.
    #[error("{message}")]
    BudgetExceeded {
        message: String,
        /// Seconds until the budget is renewed; `None` if renewal does not help.
        wait_s: Option<u64>,
    },
    /// The model failed, and the caller did not allow the built-in draft.
    #[error("{message}")]
    ModelFailed {
        /// Stable code, for example `llm_timed_out`.
        code: &'static str,
        message: String,
        /// Seconds until the vendor accepts requests again, if it said so.
        wait_s: Option<u64>,
    },
    /// A queue is full. Nothing was started.
    #[error("{message}")]
    Busy { message: String, wait_s: u64 },
    /// A dependency is not available, or not configured.
    #[error("{0}")]
    Unavailable(String),
    /// A defect or an unexpected failure. The text is for the log and is never sent to the caller.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        Error::Invalid { path: path.to_owned(), message: message.into() }
    }

    /// `what` names the full queue and ends with `Try again` or the like.
    pub(crate) fn busy(what: &str) -> Self {
        Error::Busy { message: format!("{what} in {RETRY_AFTER_S} s."), wait_s: RETRY_AFTER_S }
    }

    /// Seconds after which the same request may succeed, if known.
    pub fn wait_s(&self) -> Option<u64> {
        match self {
            Error::RateLimited { wait_s, .. }
            | Error::InProgress { wait_s, .. }
            | Error::Busy { wait_s, .. } => Some(*wait_s),
            Error::BudgetExceeded { wait_s, .. } | Error::ModelFailed { wait_s, .. } => *wait_s,
            _ => None,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "invalid_input",
            Error::NotFound(_) => "not_found",
            Error::Conflict(_) => "conflict",
            Error::RevisionMismatch(_) => "changed",
            Error::Unauthenticated(_) => "sign_in",
            Error::Forbidden(_) => "forbidden",
            Error::RateLimited { .. } => "too_many",
            Error::InProgress { .. } => "in_progress",
            Error::BudgetExceeded { .. } => "budget_spent",
            Error::ModelFailed { code, .. } => code,
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
            StoreError::SignedOut => Error::Unauthenticated(error.to_string()),
            StoreError::Stale { .. } => Error::RevisionMismatch(error.to_string()),
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
        let wait_s = error.retry_after().map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0));
        Error::ModelFailed { code: error.code(), message: error.user_message(), wait_s }
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
