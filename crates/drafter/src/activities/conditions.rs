//! Questions: `if the order is complete` -> `Is the order complete?`.
//!
//! Never changes more than the word order and the form of the verb.

use crate::clauses::Clause;
use crate::labels;
use crate::names;
use crate::phrases::Parsed;
use crate::tag::Tag;

/// The longest question in characters.
const MAX_QUESTION: usize = 90;

/// Turns the words `from..to` into a question.
pub(super) fn question(text: &str, parsed: &Parsed, row: &[Clause], from: usize, to: usize) -> String {
    let whole = labels::join(text, parsed, from, to);
    let clause = row.iter().find(|c| c.start >= from && c.start < to && !c.infinitive && !c.gerund);
    let built = clause.filter(|c| c.start > from).map(|clause| {
        let subject = labels::join(text, parsed, from, clause.start);
        match parsed.tag(clause.start) {
            Some(Tag::Be | Tag::Modal | Tag::Have) if clause.start < clause.verb || clause.lemma == "be" => {
                let auxiliary = labels::join(text, parsed, clause.start, clause.start + 1);
                let rest = labels::join(text, parsed, clause.start + 1, to);
                format!("{auxiliary} {subject} {rest}")
            }
            Some(Tag::VerbS | Tag::Have) => {
                let rest = labels::join(text, parsed, clause.verb + 1, to);
                format!("does {subject} {} {rest}", clause.lemma)
            }
            Some(Tag::Verb) => {
                let rest = labels::join(text, parsed, clause.start, to);
                format!("do {subject} {rest}")
            }
            _ => whole.clone(),
        }
    });
    let words = built.unwrap_or(whole);
    let label = names::shortened(words.trim(), MAX_QUESTION);
    format!("{}?", names::capitalised(label.trim_end_matches(['?', '.', ' '])))
}
