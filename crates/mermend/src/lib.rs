//! Mermaid text in; verdicts, findings, repairs and pictures out.
//!
//! Broken input is data, not an error: [`Checker::check`] cannot fail, never panics and has bounds on size, time and
//! memory. Nothing here does I/O beyond its own threads. Read `engines/mod.rs` next, then `rules/mod.rs`.

// The table of slow texts is the same for the tests in here and for those at the public interface.
#[cfg(test)]
extern crate self as mermend;

mod check;
mod compare;
mod deadline;
mod diagram_index;
mod diff;
mod document;
mod drawable;
mod engines;
mod explain_rejection;
#[cfg(test)]
#[path = "../tests/it/families.rs"]
mod families;
mod finding;
mod finding_list;
mod flowchart_statement;
mod group_direction;
pub mod kinds;
mod markdown;
mod merge;
mod outline;
mod patch;
#[cfg(feature = "pictures")]
pub mod picture;
#[cfg(test)]
mod properties;
mod repair;
mod rules;
mod text;

pub use check::{Checked, Checker, Engine, Limits, REMEMBERED_BYTES, check, verdict_word};
pub use compare::{Change, Comparison, How, compare, compare_within, renamed_names};
pub use deadline::{Deadline, DeadlineExceeded};
pub use diagram::{Location, Outline, OutlinePart, Rule, Severity};
pub use diagram_index::DiagramIndex;
pub use diff::unified_diff;
pub use engines::{DiagramSize, Failure, MERMAID_VERSION, Outcome, Rejection, Verdict};
pub use finding::{Edit, Finding, Fix, FixClass};
pub use markdown::{
    Block, BlockProblem, MarkdownLine, TextFormat, diagrams, diagrams_within, markdown_lines,
    replace_diagrams,
};
pub use merge::{Merged, merge_within};
pub use outline::{outline, outline_within};
pub use patch::{Operation, PatchError, PatchErrorKind, Patched};
pub use repair::{Kept, RepairStep, Repaired};
pub use rules::RULES;
