//! SEQ001: a semicolon in the text of a message or note.

use std::ops::Range;

use super::lines::{self, ARROWS, Body};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A semicolon in the text of a message, a note, a block or a title.
    ///
    /// ## Why it breaks
    /// A semicolon ends the statement; what follows is read as the next one.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   Ann->>Bob: Save it; then tell me
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   Ann->>Bob: Save it#59; then tell me
    /// ```
    ///
    /// ## Fix
    /// Write `#59;` for a semicolon.
    "SEQ001", "semicolon-in-text", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for statement in lines::statements(document) {
        let text = match statement.body {
            Body::Message { text: Some(text), .. }
            | Body::Note { text: Some(text), .. }
            | Body::Text { text, .. } => text,
            Body::Participant { alias: Some(alias), .. } => alias,
            _ => continue,
        };
        hits.extend(semicolons(document.text, text));
    }
    hits
}

fn semicolons(text: &str, range: Range<usize>) -> impl Iterator<Item = Hit> {
    let content = &text[range.clone()];
    let hits: Vec<Hit> = content
        .match_indices(';')
        .filter(|(at, _)| !ends_entity(&content[..*at]) && !begins_statement(&content[at + 1..]))
        .map(|(at, _)| {
            Hit::replace(
                range.start + at..range.start + at + 1,
                "A semicolon ends the statement here.",
                "#59;",
            )
        })
        .collect();
    hits.into_iter()
}

/// The semicolon belongs to `#59;` or `&amp;`.
fn ends_entity(before: &str) -> bool {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    (word.ends_with('#') || word.ends_with('&')) && word.len() < before.len()
}

/// Nothing, or a statement on the same line.
fn begins_statement(rest: &str) -> bool {
    let rest = rest.trim();
    let next = &rest[..rest.find(';').unwrap_or(rest.len())];
    let arrow = next.find(':').is_some_and(|colon| ARROWS.iter().any(|arrow| next[..colon].contains(arrow)));
    rest.is_empty() || arrow || next == "end"
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn semicolons_are_written_as_entities() {
        check_rule(
            "SEQ001",
            "sequenceDiagram\n  A->>B: a; b\n%%        ^ A semicolon ends the statement here.\n",
        );
        check_fix(
            "sequenceDiagram\n  A->>B: one; two; three #35;\n  Note over A: x; y\n  loop a; b\n    B-->>A: ok\n  end\n",
            "sequenceDiagram\n  A->>B: one#59; two#59; three #35;\n  Note over A: x#59; y\n  loop a#59; b\n    \
            B-->>A: ok\n  end\n",
        );
        check_fix(
            "sequenceDiagram\n  A->>B: hi; B->>A: ho\n  A->>B: a; b\n",
            "sequenceDiagram\n  A->>B: hi; B->>A: ho\n  A->>B: a#59; b\n",
        );
    }
}
