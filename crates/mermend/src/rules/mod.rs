//! THE table of rules: what can be wrong with a written diagram, and what mends it.
//!
//! One file for each rule; the order of the table is the order in which repairs are tried. A rule only looks at the
//! text ([`Document`]) and proposes edits: `repair.rs` decides whether they are kept. A rule may be wrong about a
//! diagram that Mermaid accepts, because it is only ever asked about one that Mermaid rejects; its edits never touch what
//! the document calls closed. It must take time and memory in proportion to the text: what it scans beyond the lines that
//! [`Document::body`] gives out it records with [`Document::spend`].
//!
//! To add one: a file with `rule!`, a line `mod` in its folder, and a line in [`RULES`].

use std::{borrow::Cow, ops::Range};

use crate::{
    deadline::DeadlineExceeded,
    document::Document,
    finding::{Edit, FixClass},
};

/// One thing that can be wrong.
pub struct Rule {
    /// Stable code, for example `FLOW003`.
    pub code: &'static str,
    /// Readable name, for example `unquoted-label`.
    pub name: &'static str,
    /// How far its repair may be trusted; `None` for a code that only reports a verdict.
    pub class: Option<FixClass>,
    /// Takes away what stands around a diagram, not something of the diagram.
    pub(crate) unwraps: bool,
    /// Words that are grammar to this rule and may go, in lower case.
    pub(crate) grammar: &'static [&'static str],
    /// Says a thing by another name that it already has, so that a word may be written fewer times.
    pub(crate) renames: bool,
    pub(crate) raw_docs: &'static str,
    pub(crate) find: fn(&Document<'_>) -> Vec<Hit>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

/// One place where a rule applies.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// One plain sentence.
    pub(crate) message: Cow<'static, str>,
    pub(crate) edits: Vec<Edit>,
}

impl Hit {
    pub(crate) fn new(range: Range<usize>, message: impl Into<Cow<'static, str>>, edits: Vec<Edit>) -> Self {
        Hit { start: range.start, end: range.end, message: message.into(), edits }
    }

    /// A hit whose only edit replaces what it points at.
    pub(crate) fn replace(
        range: Range<usize>,
        message: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
    ) -> Self {
        let edits = vec![Edit::replace(range.start, range.end, text)];
        Hit::new(range, message, edits)
    }
}

impl Rule {
    /// What it finds, why that breaks, an example and the repair, as Markdown.
    pub fn docs(&self) -> String {
        let lines: Vec<&str> =
            self.raw_docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The text under one heading of the docs.
    pub fn section(&self, heading: &str) -> String {
        let docs = self.docs();
        let mut inside = false;
        let mut section = Vec::new();
        for line in docs.lines() {
            match line.strip_prefix("## ") {
                Some(title) => inside = title == heading,
                None if inside => section.push(line),
                None => {}
            }
        }
        section.join("\n").trim().to_owned()
    }

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

/// The rule of a code or a name, whatever its case.
pub fn explain(code: &str) -> Option<&'static Rule> {
    let code = code.trim();
    RULES
        .iter()
        .copied()
        .find(|rule| rule.code.eq_ignore_ascii_case(code) || rule.name.eq_ignore_ascii_case(code))
}

/// Declares `RULE`; the doc comment is what people read.
macro_rules! rule {
    ($(#[doc = $docs:literal])* $code:literal, $name:literal, $class:expr, $find:expr $(, $field:ident: $value:expr)* $(,)?) => {
        pub(crate) static RULE: $crate::rules::Rule = $crate::rules::Rule {
            code: $code,
            name: $name,
            class: $class,
            raw_docs: concat!($($docs, "\n"),*),
            find: $find,
            $($field: $value,)*
            ..$crate::rules::PLAIN
        };
    };
}

/// What a rule has that does not say otherwise.
const PLAIN: Rule = Rule {
    code: "",
    name: "",
    class: None,
    unwraps: false,
    grammar: &[],
    renames: false,
    raw_docs: "",
    find: |_| Vec::new(),
};

mod any;
mod class;
mod er;
pub(crate) mod flowchart;
mod sequence;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod verdicts;

/// Every rule, in the order in which repairs are tried.
pub static RULES: &[&Rule] = &[
    &verdicts::SYNTAX_ERROR,
    &verdicts::UNKNOWN_KIND,
    &verdicts::EMPTY_DIAGRAM,
    &verdicts::TOO_LARGE,
    &verdicts::TOO_SLOW,
    &verdicts::TOO_DEEP,
    &verdicts::BROKEN_SETTINGS,
    &verdicts::UNCHECKED,
    &verdicts::ENGINES_DISAGREE,
    &verdicts::BUSY,
    &verdicts::MORE_FINDINGS,
    &any::thinking::RULE,
    &any::escaped_newlines::RULE,
    &any::code_fence::RULE,
    &any::surrounding_prose::RULE,
    &any::invisible_characters::RULE,
    &any::html_entities::RULE,
    &any::header_case::RULE,
    &any::missing_header::RULE,
    &any::foreign_comment::RULE,
    &flowchart::unquoted_label::RULE,
    &flowchart::reserved_id::RULE,
    &flowchart::foreign_arrow::RULE,
    &flowchart::closing_bracket::RULE,
    &flowchart::label_pipes::RULE,
    &flowchart::colon_label::RULE,
    &flowchart::nameless_node::RULE,
    &flowchart::spaced_id::RULE,
    &flowchart::loose_statement::RULE,
    &flowchart::open_subgraph::RULE,
    &flowchart::loose_end::RULE,
    &sequence::semicolon_in_text::RULE,
    &sequence::reserved_participant::RULE,
    &sequence::note_text::RULE,
    &sequence::foreign_message::RULE,
    &sequence::block_words::RULE,
    &sequence::open_block::RULE,
    &class::angle_generics::RULE,
    &class::keyword_declaration::RULE,
    &class::relation::RULE,
    &class::note_and_stereotype::RULE,
    &class::open_body::RULE,
    &er::attribute_line::RULE,
    &er::relation::RULE,
    &er::open_entity::RULE,
    &state::statement::RULE,
];
