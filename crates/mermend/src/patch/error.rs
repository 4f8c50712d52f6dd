//! Why a patch is not carried out.

use crate::{deadline::DeadlineExceeded, engines::Failure};

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchError {
    /// Which operation, counted from 0.
    pub operation: usize,
    /// What sort of reason it is.
    pub kind: PatchErrorKind,
    /// What is in the way and what to do.
    pub message: String,
}

/// What sort of reason a patch was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchErrorKind {
    /// The operation or the diagram does not allow it; the same request is refused again.
    Refused,
    /// The time or another limit was reached, or the engine did not run: the operations were not judged.
    Failed(Failure),
}

impl std::fmt::Display for PatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PatchError {}

/// Why an operation, or the whole patch, is not carried out.
pub(super) enum Stop {
    Refused(String),
    Failed(Failure),
}

impl Stop {
    pub(super) fn at(self, operation: usize) -> PatchError {
        match self {
            Stop::Refused(message) => PatchError { operation, kind: PatchErrorKind::Refused, message },
            Stop::Failed(failure) => {
                let message = match failure {
                    Failure::TooLarge => {
                        "The diagram is larger than what is checked, so nothing was changed."
                    }
                    Failure::TooSlow => {
                        "The time limit was reached, so nothing was changed. Send fewer operations."
                    }
                    Failure::TooDeep => {
                        "Mermaid ran out of memory or of depth while reading the diagram, so nothing was changed."
                    }
                    Failure::Busy => {
                        "Too many other texts wait for the Mermaid engine, so nothing was changed. Try again in a \
                        few seconds."
                    }
                    Failure::Unavailable => {
                        "The Mermaid engine could not run, so nothing was changed. Try again."
                    }
                };
                PatchError { operation, kind: PatchErrorKind::Failed(failure), message: message.to_owned() }
            }
        }
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Refused(message)
    }
}

impl From<DeadlineExceeded> for Stop {
    fn from(DeadlineExceeded: DeadlineExceeded) -> Self {
        Stop::Failed(Failure::TooSlow)
    }
}
