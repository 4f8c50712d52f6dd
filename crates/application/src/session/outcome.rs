//! Result of a session.

use blueprint::{Blueprint, Element};
use mermend::{Checked, Finding};

use super::trace::TraceEntry;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    Model,
    Builtin,
    /// The built-in drafter, because the model failed.
    Fallback,
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub text: String,
    /// Result of the last check, of exactly this text.
    pub checked: Checked,
    /// `None` if the text was not understood.
    pub blueprint: Option<Blueprint>,
    /// Elements with their names in `text`.
    pub elements: Vec<Element>,
    pub trace: Vec<TraceEntry>,
    /// Descriptions of the repairs.
    pub repairs: Vec<String>,
    pub findings: Vec<Finding>,
    pub retry_count: u32,
    pub written: Author,
    /// What a reader must know before using the diagram.
    pub warning: Option<String>,
    /// Failures of the model.
    pub errors: Vec<String>,
    /// Assumptions of the drafter.
    pub notes: Vec<String>,
}
