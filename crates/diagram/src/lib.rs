//! The types that `mermend` (Mermaid text) and `blueprint` (typed diagrams) share.
//!
//! Data only: no parsing, no rules, no I/O.

mod outline;
mod place;
mod rule;

pub use outline::{Outline, OutlineEdge, OutlineGroup, OutlineNode, OutlinePart};
pub use place::{Location, Span};
pub use rule::{Registry, Rule, Severity, concat};
