//! What a repair rule is.

use std::{borrow::Cow, ops::Range};

use diagram::Rule;

use crate::{
    deadline::DeadlineExceeded,
    document::Document,
    finding::{Edit, FixClass},
};

/// A rule that finds the cause of a rejection and proposes its repair.
pub(crate) struct RepairRule {
    pub(crate) rule: Rule,
    /// How far its repair may be trusted.
    pub(crate) class: FixClass,
    /// Removes what surrounds a diagram, not a part of the diagram.
    pub(crate) unwraps: bool,
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
}

impl Hit {
    pub(crate) fn new(range: Range<usize>, message: impl Into<Cow<'static, str>>, edits: Vec<Edit>) -> Self {
        Hit { start: range.start, end: range.end, message: message.into(), edits }
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
        let hits = (self.find)(document);
        match document.deadline().exceeded() {
            true => Err(DeadlineExceeded),
            false => Ok(hits),
        }
    }
}

/// Declares `RULE`; the doc comment is its documentation.
macro_rules! rule {
    (
        $(#[doc = $docs:literal])* $code:literal, $name:literal, $class:expr, $find:expr
        $(, $field:ident: $value:expr)* $(,)?
    ) => {
        pub(crate) static RULE: $crate::rules::rule::RepairRule = $crate::rules::rule::RepairRule {
            rule: diagram::Rule {
                code: $code,
                name: $name,
                severity: diagram::Severity::Error,
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
    grammar: &[],
    renames: false,
    find: |_| Vec::new(),
};
