//! Findings: what is wrong with a diagram, where, and its repair.

use diagram::{Location, Rule, Severity};
use serde::{Deserialize, Serialize};

use crate::text::shortened;

/// The most characters of a message or of advice.
const MAX_TEXT: usize = 500;

/// One finding about a diagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Stable code, for example `FLOW003`; see `explain`.
    pub code: String,
    pub severity: Severity,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub span: Location,
    /// What found it: `mermaid`, `fast` or `rules`.
    pub engine: String,
    /// Its repair, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Where the code is explained.
    pub docs: String,
}

impl Finding {
    /// A finding of `rule` by `engine` without hint or fix.
    pub(crate) fn new(rule: &Rule, engine: &str, span: Location, message: String) -> Self {
        Finding {
            code: rule.code.to_owned(),
            severity: rule.severity,
            message: shortened(&message, MAX_TEXT),
            hint: None,
            span,
            engine: engine.to_owned(),
            fix: None,
            docs: format!("docs/rules.md#{}", rule.code.to_lowercase()),
        }
    }

    /// The same finding with advice.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shortened(&hint.into(), MAX_TEXT));
        self
    }
}

/// A repair of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fix {
    /// How far it may be trusted.
    pub class: FixClass,
    /// What to replace. Edits do not overlap.
    pub edits: Vec<Edit>,
}

/// How far a repair may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FixClass {
    /// The meaning is kept.
    Safe,
    /// Something is dropped, and the message says what.
    Lossy,
    /// Only the author knows what was meant: shown, never applied.
    NeedsAuthor,
}

/// Replaces bytes `start..end` by `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edit {
    /// First byte to replace.
    pub start: usize,
    /// One past the last byte to replace.
    pub end: usize,
    /// What stands there afterwards.
    pub text: String,
}

impl Edit {
    /// Replaces bytes `start..end` by `text`.
    pub(crate) fn replace(start: usize, end: usize, text: impl Into<String>) -> Self {
        Edit { start, end, text: text.into() }
    }
}

/// Applies edits that do not overlap; of two that do, the first wins.
pub(crate) fn apply_edits(text: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.start, edit.end));
    let mut out = String::with_capacity(text.len() + 16);
    let mut done = 0;
    for edit in sorted {
        let (Some(before), Some(_)) = (text.get(done..edit.start), text.get(edit.start..edit.end)) else {
            continue;
        };
        out.push_str(before);
        out.push_str(&edit.text);
        done = edit.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
