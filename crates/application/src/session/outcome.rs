//! What a session comes to.

use blueprint::{Blueprint, Element};
use mermend::{Checked, Finding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wrote the diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A model.
    Model,
    /// The built-in drafter, because it was asked for.
    Builtin,
    /// The built-in drafter, because the model failed.
    Fallback,
}

/// A finished diagram.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The Mermaid text.
    pub text: String,
    /// What the last check said of exactly this text.
    pub checked: Checked,
    /// What it means, if that could be told.
    pub blueprint: Option<Blueprint>,
    /// Its parts, with the names they have in `text`.
    pub elements: Vec<Element>,
    /// Which words of the requirements each part comes from.
    pub trace: Vec<TraceEntry>,
    /// What was mended, in words.
    pub repairs: Vec<String>,
    /// What else there is to say of it.
    pub findings: Vec<Finding>,
    /// How often the model was asked again.
    pub retry_count: u32,
    /// Who wrote it.
    pub written: Written,
    /// What a reader must know before relying on it.
    pub warning: Option<String>,
    /// What went wrong on the way.
    pub errors: Vec<String>,
    /// What the drafter assumed.
    pub notes: Vec<String>,
}

/// One element of the diagram and the words it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[schema(as = TraceReply)]
pub struct TraceEntry {
    /// Id of the element in the diagram.
    #[schema(example = "Order")]
    pub element: String,
    /// Number of the sentence in the requirements, from 1.
    #[schema(example = 1)]
    pub requirement: usize,
    /// First byte in the requirements.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The words.
    #[schema(example = "orders")]
    pub text: String,
}
