//! Requirement text in; sentences, terms and draft blueprints out, with no model.
//!
//! Deterministic language rules for English. Never does I/O, never reads a clock, never fails: what is not understood
//! is said in [`Draft::notes`]. Start reading at `source/` (documents to sentences), `phrases.rs` (words and noun
//! phrases), `clauses.rs` (who does what), then `classes/`, `use_cases/` and `activities/`.

mod activities;
mod analysis;
mod classes;
mod clauses;
#[cfg(test)]
#[path = "../tests/hostile/mod.rs"]
mod hostile;
mod labels;
mod lexicon;
mod locate;
mod names;
mod phrases;
mod quantity;
mod source;
mod tag;
mod use_cases;
mod work;

use blueprint::{ActivityModel, Blueprint, ClassModel, Kind, Span, UseCaseModel};

pub use locate::locate;
pub use source::{Language, LeftOut, Reason};

use analysis::Analysis;
use source::Source;

/// A drafted diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The diagram. Always well-formed; empty if the text says nothing.
    pub blueprint: Blueprint,
    /// In plain words: what was not understood, left out or assumed.
    pub notes: Vec<String>,
    /// What was read and not drafted, in the order of the text.
    pub left_out: Vec<LeftOut>,
    /// The language of the text if it is not English. Nothing is drafted then.
    pub language: Option<Language>,
}

/// Drafts a diagram from requirement text.
pub fn draft(kind: Kind, text: &str) -> Draft {
    let source = Source::read(text);
    if let Some(language) = source::detect(&source.text) {
        let notes = vec![format!(
            "This text looks {}. The built-in drafter reads English only; a language model reads other languages.",
            language.name
        )];
        let blueprint = match kind {
            Kind::Class => Blueprint::Class(ClassModel::default()),
            Kind::UseCase => Blueprint::UseCase(UseCaseModel::default()),
            Kind::Activity => Blueprint::Activity(ActivityModel::default()),
        };
        return Draft { blueprint, notes, left_out: Vec::new(), language: Some(language) };
    }
    let (sentences, left_out) = source.view(Some(kind));
    let analysis = Analysis::new(&source.text, sentences);
    let (blueprint, mut notes) = match kind {
        Kind::Class => {
            let (model, notes) = classes::draft(&analysis);
            (Blueprint::Class(model), notes)
        }
        Kind::UseCase => {
            let (model, notes) = use_cases::draft(&source.text, &analysis);
            (Blueprint::UseCase(model), notes)
        }
        Kind::Activity => {
            let (model, notes) = activities::draft(&source.text, &analysis);
            (Blueprint::Activity(model), notes)
        }
    };
    notes.extend(describe(text, &left_out));
    Draft { blueprint, notes, left_out, language: None }
}

/// One note for each reason: how many passages, and the first of them.
fn describe(text: &str, left_out: &[LeftOut]) -> Vec<String> {
    let mut reasons: Vec<Reason> = left_out.iter().map(|left| left.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    // Headings are left out of every diagram; a reader expects that.
    reasons.retain(|reason| *reason != Reason::Heading);
    let note = |reason: Reason| {
        let mut passages = left_out.iter().filter(|left| left.reason == reason);
        let first = passages.next()?;
        let words =
            text.get(first.span.start..first.span.end)?.split_whitespace().collect::<Vec<_>>().join(" ");
        let more = match passages.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("Left out as {}: “{}”{more}.", reason.label(), names::shortened(&words, 60)))
    };
    reasons.into_iter().filter_map(note).collect()
}

/// The sentences, list items and headings of a text, as byte ranges in it.
pub fn sentences(text: &str) -> Vec<Span> {
    Source::read(text).sentences().iter().map(|s| s.span).collect()
}

/// A noun-phrase term of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Its words in lower case, singular, without articles: `order line`.
    pub text: String,
    /// Its head noun: `line`.
    pub head: String,
    /// Where it stands, as byte ranges in the text, in order.
    pub spans: Vec<Span>,
}

/// The noun-phrase terms of a text, in order of first appearance; spellings that mean the same are one term.
pub fn terms(text: &str) -> Vec<Term> {
    let source = Source::read(text);
    let analysis = Analysis::new(&source.text, source.view(None).0);
    let named = analysis
        .terms
        .into_iter()
        .filter(|term| term.words.len() > 1 || !lexicon::is_generic_noun(term.head()));
    named
        .map(|term| Term { text: term.words.join(" "), head: term.head().to_owned(), spans: term.spans })
        .collect()
}
