//! What is wrong with a diagram, where, and what would mend it.

use serde::{Deserialize, Serialize};

use crate::text::{LineIndex, shortened};

/// The most characters of a message or of advice.
const MAX_TEXT: usize = 500;

/// One thing to know about a diagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Stable code, for example `FLOW003`; `explain` tells more about it.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// One plain sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where it is.
    pub span: Span,
    /// Who found it: `mermaid`, `fast` or `rules`.
    pub engine: String,
    /// What would mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Where the code is explained.
    pub docs: String,
}

impl Finding {
    /// A finding of `rule` by `engine` without hint or fix.
    pub(crate) fn new(code: &str, severity: Severity, engine: &str, span: Span, message: String) -> Self {
        Finding {
            code: code.to_owned(),
            severity,
            message: shortened(&message, MAX_TEXT),
            hint: None,
            span,
            engine: engine.to_owned(),
            fix: None,
            docs: format!("docs/rules.md#{}", code.to_lowercase()),
        }
    }

    /// The same finding with advice.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shortened(&hint.into(), MAX_TEXT));
        self
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Probably not what was meant.
    Warning,
    /// The diagram cannot be used.
    Error,
}

/// A half-open range of the text. Offsets are UTF-8 bytes; lines and columns are 1-based, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of `start`.
    pub line: usize,
    /// Column of `start`.
    pub column: usize,
    /// Line of `end`.
    pub end_line: usize,
    /// Column of `end`.
    pub end_column: usize,
}

impl Span {
    /// The span of bytes `start..end` of the indexed text, moved onto character boundaries and into the text.
    pub(crate) fn of(index: &LineIndex<'_>, start: usize, end: usize) -> Self {
        let start = index.floor(start);
        let end = index.floor(end.max(start));
        let (line, column) = index.position(start);
        let (end_line, end_column) = index.position(end);
        Span { start, end, line, column, end_line, end_column }
    }
}

/// A way to mend a finding.
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
