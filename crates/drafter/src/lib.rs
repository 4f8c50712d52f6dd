//! Requirement text in; sentences, terms and draft blueprints out, with no model.
//!
//! Deterministic language rules for English. Never does I/O, never reads a clock, never fails: what is not understood
//! is said in [`Draft::notes`]. Start reading at `phrases.rs` (words and noun phrases), `clauses.rs` (who does what),
//! then `classes/`, `use_cases/` and `activities/`.

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
mod tag;
mod text;
mod use_cases;
mod work;

use blueprint::{Blueprint, Kind, Span};

pub use locate::locate;

use analysis::Analysis;

/// A drafted diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The diagram. Always well-formed; empty if the text says nothing.
    pub blueprint: Blueprint,
    /// In plain words: what was not understood, and what was assumed.
    pub notes: Vec<String>,
}

/// Drafts a diagram from requirement text.
pub fn draft(kind: Kind, text: &str) -> Draft {
    let (blueprint, notes) = match kind {
        Kind::Class => {
            let (model, notes) = classes::draft(text);
            (Blueprint::Class(model), notes)
        }
        Kind::UseCase => {
            let (model, notes) = use_cases::draft(text);
            (Blueprint::UseCase(model), notes)
        }
        Kind::Activity => {
            let (model, notes) = activities::draft(text);
            (Blueprint::Activity(model), notes)
        }
    };
    Draft { blueprint, notes }
}

/// The sentences, list items and headings of a text, as byte ranges in it.
pub fn sentences(text: &str) -> Vec<Span> {
    text::split_sentences(text).into_iter().map(|s| s.span).collect()
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
    let analysis = Analysis::new(text);
    let named = analysis
        .terms
        .into_iter()
        .filter(|term| term.words.len() > 1 || !lexicon::is_generic_noun(term.head()));
    named
        .map(|term| Term { text: term.words.join(" "), head: term.head().to_owned(), spans: term.spans })
        .collect()
}
