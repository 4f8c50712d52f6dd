//! A document as blocks of one role each, with exact byte ranges.
//!
//! | file | idea |
//! |---|---|
//! | `markup.rs` | Markdown: markup is blanked, tables and code are found |
//! | `lines.rs` | lines to blocks: items, stories, Gherkin, speakers, mail |
//! | `labels.rs` | what stands before the words of a line |
//! | `tables.rs` | which cells say something |
//! | `roles.rs` | what a heading, a table column or a sentence is about |
//! | `sentences.rs` | blocks to sentences |
//! | `words.rs` | sentences to words |
//!
//! Never moves a byte: [`Source::text`] has the length of the original text, and every range holds in both.

mod labels;
mod language;
mod lines;
mod markup;
mod roles;
mod sentences;
mod tables;
mod words;

use blueprint::{Kind, Span};

pub use language::Language;
pub(crate) use language::detect;
pub(crate) use sentences::Sentence;
pub(crate) use words::{Token, TokenKind, tokens};

/// What a part of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Says something about the system.
    Statement,
    /// Purpose, overview, notes: not part of a procedure.
    Context,
    /// `As a …, I want …`
    Story,
    /// Explains a term.
    Definition,
    /// Gherkin: what holds before.
    Given,
    /// Gherkin: what is done.
    When,
    /// Gherkin: what happens then.
    Then,
    /// Not drafted.
    Left(Reason),
}

/// Why a part of a text was not drafted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A title, or a cell with a number or label.
    Heading,
    /// Acceptance criteria.
    Criterion,
    /// A code block.
    Code,
    /// A quotation.
    Quotation,
    /// An example.
    Example,
    /// A question or an open task.
    Question,
    /// A quality requirement, not a function.
    NonFunctional,
    /// The text says that it is not part of the system.
    OutOfScope,
    /// About the document and its authors.
    Administrative,
    /// Background that is no step of a procedure.
    Background,
}

impl Reason {
    /// The reason in words, as it follows `Left out as `.
    pub fn label(self) -> &'static str {
        match self {
            Self::Heading => "a heading",
            Self::Criterion => "an acceptance criterion",
            Self::Code => "code",
            Self::Quotation => "a quotation",
            Self::Example => "an example",
            Self::Question => "a question or an open task",
            Self::NonFunctional => "a non-functional requirement",
            Self::OutOfScope => "out of scope",
            Self::Administrative => "a remark about the document",
            Self::Background => "background, not a step",
        }
    }
}

/// A part of a text that was not drafted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    pub reason: Reason,
    /// Where it stands, as bytes of the text.
    pub span: Span,
}

/// One paragraph, list item, table cell or heading.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Its words, without bullet, number and label.
    pub(crate) span: Span,
    pub(crate) role: Role,
    /// How many headings stand before it.
    pub(crate) section: usize,
    /// Whether a bullet or a number stood before it.
    pub(crate) item: bool,
    /// A column `Role` implies `As a`.
    pub(crate) implied: Vec<Implied>,
}

/// Words that the layout of a document implies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Implied {
    /// The byte before which they belong.
    pub(crate) at: usize,
    pub(crate) words: String,
    /// What implies them: the title of a column, or the same words elsewhere.
    pub(crate) from: Span,
}

/// A document that was read.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The original text with blanks instead of markup.
    pub(crate) text: String,
    sentences: Vec<Sentence>,
}

impl Source {
    pub(crate) fn read(original: &str) -> Self {
        let markup = markup::read(original);
        let blocks = lines::blocks(original, &markup);
        let text = markup.text;
        let sentences = blocks.iter().flat_map(|block| sentences::cut(&text, block)).collect();
        Self { text, sentences }
    }

    /// All sentences, drafted or not.
    pub(crate) fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// The sentences that a kind of diagram is drafted from, and what is left out of it.
    pub(crate) fn view(&self, kind: Option<Kind>) -> (Vec<Sentence>, Vec<LeftOut>) {
        let procedure = self.sentences.iter().any(|s| matches!(s.role, Role::Statement | Role::When));
        let mut kept = Vec::new();
        let mut left: Vec<LeftOut> = Vec::new();
        for sentence in &self.sentences {
            let reason = match (sentence.role, kind) {
                (Role::Left(reason), _) => Some(reason),
                (Role::Context | Role::Definition, Some(Kind::Activity)) if procedure => {
                    Some(Reason::Background)
                }
                (Role::Given, Some(Kind::Activity)) => Some(Reason::Background),
                (Role::Then, Some(Kind::UseCase)) => Some(Reason::Criterion),
                (Role::Definition, Some(Kind::UseCase)) => Some(Reason::Background),
                _ => None,
            };
            match reason {
                None => kept.push(sentence.clone()),
                Some(reason) => match left.last_mut() {
                    // Sentences side by side with one reason are one passage.
                    Some(last)
                        if last.reason == reason
                            && reason != Reason::Heading
                            && self.blank(last.span.end, sentence.span.start) =>
                    {
                        last.span.end = sentence.span.end;
                    }
                    _ => left.push(LeftOut { reason, span: sentence.span }),
                },
            }
        }
        (kept, left)
    }

    /// Whether only blanks stand between two places.
    fn blank(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| between.trim().is_empty())
    }
}
