//! Mermaid text in; verdicts, findings, repairs and pictures out.
//!
//! Broken input is data, not an error: [`Checker::check`] cannot fail, never panics and has bounds on size, time and
//! memory. Nothing here does I/O beyond its own threads. Read `engines/mod.rs` next, then `rules/mod.rs`.

// The table of slow texts is the same for the tests in here and for those at the public interface.
#[cfg(test)]
extern crate self as mermend;

mod body_kind;
mod check;
mod compare;
mod deadline;
mod diff;
mod document;
mod engines;
mod explain_rejection;
#[cfg(test)]
#[path = "../tests/it/families.rs"]
mod families;
mod faults;
mod finding;
mod finding_list;
mod flowchart_statement;
mod kept;
pub mod kinds;
mod markdown;
mod outline;
mod patch;
#[cfg(feature = "pictures")]
pub mod picture;
#[cfg(test)]
mod properties;
mod reading;
mod repair;
mod rules;
mod statements;
mod text;

pub use check::{Checked, Checker, Engine, Limits, REMEMBERED_BYTES, check};
pub use compare::{Change, Comparison, compare, compare_within};
pub use deadline::{Deadline, DeadlineExceeded};
pub use diagram::{Location, Outline, OutlinePart, Rule, Severity};
pub use diff::unified_diff;
pub use engines::{Failure, MERMAID_VERSION, Outcome, Rejection, Verdict};
pub use finding::{Edit, Finding, Fix, FixClass};
pub use kept::Kept;
pub use markdown::{
    Fence, MarkdownIndex, MarkdownLine, diagrams_in_markdown, diagrams_in_markdown_within, markdown_lines,
};
pub use outline::{outline, outline_within};
pub use patch::{Operation, PatchError, PatchErrorKind, Patched};
pub use repair::{RepairStep, Repaired};
pub use rules::RULES;
