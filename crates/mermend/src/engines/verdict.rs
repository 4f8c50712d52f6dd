//! The verdict of an engine on a text.

use serde::{Deserialize, Serialize};

use crate::text::shortened;

/// The verdict of one engine on one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// It is a remembered answer.
    pub cached: bool,
}

/// Whether a text is a diagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is a diagram of this Mermaid type, for example `flowchart-v2`.
    Accepted {
        /// Mermaid's name of the type.
        mermaid_type: String,
        /// What Mermaid compares with its own limits.
        #[serde(default)]
        size: DiagramSize,
    },
    /// It is not a diagram.
    Rejected(Rejection),
    /// The engine reached a limit, or could not run; the text is unchecked.
    Failed(Failure),
}

/// How large a diagram is to Mermaid; zeros from an engine that does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagramSize {
    /// Edges of a flowchart; Mermaid counts no others.
    pub edges: u32,
    /// UTF-16 units without comments, front matter and directives.
    pub characters: u32,
}

/// Why a text is not a diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// What the engine wrote.
    pub message: String,
    /// Bytes of the text that it points at.
    pub bytes: Option<(usize, usize)>,
    /// The word that the engine did not expect.
    pub unexpected: Option<String>,
    /// What the engine expected instead, in its own words.
    pub expected: Vec<String>,
    /// No diagram begins here.
    pub unknown_kind: bool,
    /// The settings (front matter or directive) are broken, not the diagram.
    pub settings: bool,
}

/// Why an engine has no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The text is larger than the limit.
    TooLarge,
    /// The time for one text ran out.
    TooSlow,
    /// The memory or the depth for one text ran out.
    TooDeep,
    /// The engine is not part of this build, or did not start.
    Unavailable,
    /// Too many texts wait for the engine already; this one was not queued.
    Busy,
}

impl Rejection {
    /// The same, with texts that fit into an answer: an engine may quote the whole diagram.
    pub(crate) fn within_bounds(mut self) -> Self {
        const MAX_MESSAGE: usize = 2000;
        const MAX_TOKEN: usize = 200;
        const MAX_EXPECTED: usize = 100;
        self.message = shortened(&self.message, MAX_MESSAGE);
        self.unexpected = self.unexpected.map(|token| shortened(&token, MAX_TOKEN));
        self.expected.truncate(MAX_EXPECTED);
        self.expected.iter_mut().for_each(|token| *token = shortened(token, MAX_TOKEN));
        self
    }
}

impl Failure {
    /// The same text may get a verdict at another time, so this one must not be stored.
    pub fn is_temporary(self) -> bool {
        matches!(self, Failure::TooSlow | Failure::Busy | Failure::Unavailable)
    }
}

impl Verdict {
    /// Why there is no verdict, if there is none.
    pub fn failure(&self) -> Option<Failure> {
        match self.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether the engine accepted the text.
    pub fn valid(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted { .. })
    }
}
