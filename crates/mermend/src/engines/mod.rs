//! The two engines: `fast` answers in microseconds and is nearly always right; `mermaid` is Mermaid's own parser, whose
//! verdict counts.

pub(crate) mod fast;
pub(crate) mod fast_bounds;
#[cfg(feature = "mermaid")]
mod machine;
#[cfg(feature = "mermaid")]
pub(crate) mod mermaid;
#[cfg(feature = "mermaid")]
mod queue;
mod verdict;

pub use verdict::{DiagramSize, Failure, Outcome, Rejection, Verdict};

/// The version of Mermaid whose parser gives the verdict; `None` in a build without it.
pub const MERMAID_VERSION: Option<&str> = {
    #[cfg(feature = "mermaid")]
    {
        Some(mermaid::VERSION)
    }
    #[cfg(not(feature = "mermaid"))]
    {
        None
    }
};
