//! What a repair rule is.

use std::{borrow::Cow, ops::Range};

use diagram::Rule;

use crate::{
    body_kind,
    deadline::DeadlineExceeded,
    document::Document,
    finding::{Edit, FixClass, apply_edits},
    kept::{self, Droppable},
    reading::Reading,
};

/// How many bytes of lines with edits are read for each byte of the text, before a repair is only judged as a whole.
const READ_AGAIN: usize = 8;

/// A rule that finds the cause of a rejection and proposes its repair.
pub(crate) struct RepairRule {
    pub(crate) rule: Rule,
    /// How far its repair may be trusted.
    pub(crate) class: FixClass,
    /// Removes what surrounds a diagram, not a part of the diagram.
    pub(crate) unwraps: bool,
    /// Its cause is how statements stand to each other, so that no statement shows it alone.
    pub(crate) structural: bool,
    /// Words that are grammar to this rule and may go, in lower case.
    pub(crate) grammar: &'static [&'static str],
    /// Replaces a name by another name of the same element, so that a word may be written fewer times.
    pub(crate) renames: bool,
    pub(crate) find: fn(&Document<'_>) -> Vec<Hit>,
}

/// One place where a rule applies.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// One sentence.
    pub(crate) message: Cow<'static, str>,
    pub(crate) edits: Vec<Edit>,
    /// How far this repair may be trusted, if it is not the class of the rule.
    pub(crate) class: Option<FixClass>,
    /// Hits of the same group are repaired together: they write the same name.
    pub(crate) group: Option<String>,
}

impl Hit {
    pub(crate) fn new(range: Range<usize>, message: impl Into<Cow<'static, str>>, edits: Vec<Edit>) -> Self {
        Hit { start: range.start, end: range.end, message: message.into(), edits, class: None, group: None }
    }

    pub(crate) fn with_class(self, class: FixClass) -> Self {
        Hit { class: Some(class), ..self }
    }

    /// What only the author can decide.
    pub(crate) fn for_the_author(range: Range<usize>, message: impl Into<Cow<'static, str>>) -> Self {
        Hit::new(range, message, Vec::new()).with_class(FixClass::NeedsAuthor)
    }

    /// A hit whose only edit replaces its range.
    pub(crate) fn replace(
        range: Range<usize>,
        message: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
    ) -> Self {
        let edits = vec![Edit::replace(range.start, range.end, text)];
        Hit::new(range, message, edits)
    }
}

impl RepairRule {
    /// Every place where the rule applies.
    ///
    /// # Errors
    /// When the deadline of the document is exceeded.
    pub(crate) fn hits(&self, document: &Document<'_>) -> Result<Vec<Hit>, DeadlineExceeded> {
        let mut hits = (self.find)(document);
        if !self.unwraps && !hits.is_empty() && document.contradicts(body_kind::contradicts) {
            hits.iter_mut().for_each(|hit| hit.class = Some(FixClass::NeedsAuthor));
        }
        if self.class == FixClass::Safe && !self.unwraps && !self.renames {
            let mut left = READ_AGAIN * document.text.len() + (64 << 10);
            for hit in hits.iter_mut().filter(|hit| hit.class.is_none() && !hit.edits.is_empty()) {
                let lines = lines_of(document.text, &hit.edits);
                left = left.saturating_sub(lines.len());
                document.deadline().spend(lines.len())?;
                if left > 0 && !self.keeps(document, lines, &hit.edits) {
                    hit.class = Some(FixClass::NeedsAuthor);
                }
            }
        }
        match document.deadline().exceeded() {
            true => Err(DeadlineExceeded),
            false => Ok(hits),
        }
    }

    /// Whether everything that can be read of these lines can still be read after the edits.
    fn keeps(&self, document: &Document<'_>, lines: Range<usize>, edits: &[Edit]) -> bool {
        let kind = document.kind.map(|kind| kind.id);
        let before = document.text.get(lines.clone()).unwrap_or_default();
        let moved =
            |edit: &Edit| Edit::replace(edit.start - lines.start, edit.end - lines.start, edit.text.as_str());
        let after = apply_edits(before, &edits.iter().map(moved).collect::<Vec<_>>());
        let (before, after) = (Reading::of_lines(kind, before), Reading::of_lines(kind, &after));
        kept::compare(&before, &after, self.droppable()).everything()
    }

    /// What a repair of this rule may drop.
    pub(crate) fn droppable(&self) -> Droppable {
        Droppable { grammar: self.grammar, renames: self.renames }
    }

    /// How far the repair of a hit may be trusted.
    pub(crate) fn class_of(&self, hit: &Hit) -> FixClass {
        hit.class.unwrap_or(self.class)
    }
}

/// The whole lines that edits touch.
fn lines_of(text: &str, edits: &[Edit]) -> Range<usize> {
    let from = edits.iter().map(|edit| edit.start).min().unwrap_or_default();
    let to = edits.iter().map(|edit| edit.end).max().unwrap_or_default();
    let start = text.get(..from).and_then(|head| head.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(to..).and_then(|tail| tail.find('\n')).map_or(text.len(), |at| to + at);
    start..end
}

/// Declares `RULE`; the doc comment is its documentation.
macro_rules! rule {
    (
        $(#[doc = $docs:literal])* $code:literal, $name:literal, $class:expr, $find:expr
        $(, $field:ident: $value:expr)* $(,)?
    ) => {
        declare! { $(#[doc = $docs])* Error, $code, $name, $class, $find $(, $field: $value)* }
    };
}

/// Declares `RULE` for diagrams that Mermaid accepts and draws differently from what the author meant.
macro_rules! warning {
    ($(#[doc = $docs:literal])* $severity:ident, $code:literal, $name:literal, $find:expr) => {
        declare! { $(#[doc = $docs])* $severity, $code, $name, $crate::finding::FixClass::NeedsAuthor, $find }
    };
}

macro_rules! declare {
    (
        $(#[doc = $docs:literal])* $severity:ident, $code:literal, $name:literal, $class:expr, $find:expr
        $(, $field:ident: $value:expr)*
    ) => {
        pub(crate) static RULE: $crate::rules::rule::RepairRule = $crate::rules::rule::RepairRule {
            rule: diagram::Rule {
                code: $code,
                name: $name,
                severity: diagram::Severity::$severity,
                raw_docs: concat!($($docs, "\n"),*),
            },
            class: $class,
            find: $find,
            $($field: $value,)*
            ..$crate::rules::rule::DEFAULT
        };
    };
}

/// The fields that a declaration may leave out.
pub(crate) const DEFAULT: RepairRule = RepairRule {
    rule: Rule { code: "", name: "", severity: diagram::Severity::Error, raw_docs: "" },
    class: FixClass::NeedsAuthor,
    unwraps: false,
    structural: false,
    grammar: &[],
    renames: false,
    find: |_| Vec::new(),
};
