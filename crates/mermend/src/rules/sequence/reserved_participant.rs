//! SEQ002: a word of the grammar as a participant.

use std::ops::Range;

use super::lines::{self, Body};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A participant called `end`, `loop`, `alt` or another word that begins or ends a block, in any case.
    ///
    /// ## Why it breaks
    /// Mermaid takes the word for the block.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   participant end
    ///   Ann->>end: Close
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   participant end_ as end
    ///   Ann->>end_: Close
    /// ```
    ///
    /// ## Fix
    /// Give the participant another id, everywhere, and keep the word as its name.
    "SEQ002", "reserved-participant", FixClass::Safe, find
}

/// Words that break where a participant is expected, in lower case: Mermaid compares them so.
const RESERVED: [&str; 17] = [
    "end",
    "loop",
    "alt",
    "else",
    "opt",
    "par",
    "and",
    "rect",
    "critical",
    "option",
    "break",
    "box",
    "note",
    "title",
    "over",
    "autonumber",
    "as",
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let statements = lines::statements(document);
    let mut places: Vec<(Range<usize>, bool)> = Vec::new();
    for statement in &statements {
        match &statement.body {
            Body::Message { from, to, .. } => places.extend([(from.clone(), false), (to.clone(), false)]),
            Body::Note { who, .. } => places.extend(names(text, who).map(|name| (name, false))),
            Body::Life { who } => places.push((who.clone(), false)),
            Body::Participant { id, alias } => {
                places.push((id.clone(), alias.is_none()));
            }
            Body::Text { .. } | Body::Other => {}
        }
    }
    let mut hits = Vec::new();
    for (range, needs_name) in places {
        let id = &text[range.clone()];
        if !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(id)) {
            continue;
        }
        let name = if needs_name { format!("{id}_ as {id}") } else { format!("{id}_") };
        let message = format!("`{id}` is a word of the grammar and cannot be a participant.");
        let group = Some(id.to_owned());
        hits.push(Hit { group, ..Hit::replace(range, message, name) });
    }
    hits
}

/// The names of `a,b`.
fn names(text: &str, who: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = who.start;
    let names: Vec<_> = text[who.clone()]
        .split_inclusive(',')
        .map(|piece| {
            let start = at + piece.len() - piece.trim_start().len();
            at += piece.len();
            start..start + piece.trim().trim_end_matches(',').trim_end().len()
        })
        .collect();
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn reserved_participants_get_another_id() {
        check_rule(
            "SEQ002",
            "sequenceDiagram\n  A->>end: x\n%%    ^^^ `end` is a word of the grammar and cannot be a participant.\n",
        );
        check_fix(
            "sequenceDiagram\n  participant Loop as The loop\n  A->>+Loop: x\n  Note over A,Loop: y\n  Loop-->>-A: z\n",
            "sequenceDiagram\n  participant Loop_ as The loop\n  A->>+Loop_: x\n  Note over A,Loop_: y\n  \
            Loop_-->>-A: z\n",
        );
        check_fix("sequenceDiagram\n  A->>end: x\n", "sequenceDiagram\n  A->>end_: x\n");
    }
}
