//! SEQ003: a note without its colon, or over several lines.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A note whose text has no colon before it, and a note that goes over several lines up to `end note`.
    ///
    /// ## Why it breaks
    /// A note is one line: who it belongs to, a colon, the text. A line break in the text is `<br/>`.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   Ann->>Bob: hi
    ///   Note over Ann,Bob Both are glad
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   Ann->>Bob: hi
    ///   Note over Ann,Bob: Both are glad
    /// ```
    ///
    /// ## Fix
    /// Write `Note over Ann: text`.
    "SEQ003", "note-text", FixClass::Safe, find, grammar: &["end", "note"]
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("sequence") {
        return Vec::new();
    }
    let lines: Vec<_> = document.body().collect();
    let mut hits = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let (start, content) = line.content();
        let lower = content.to_ascii_lowercase();
        let Some(side) =
            ["note over ", "note right of ", "note left of "].iter().find(|side| lower.starts_with(**side))
        else {
            continue;
        };
        if content.contains(':') {
            continue;
        }
        let rest = content[side.len()..].trim();
        // Names go on after a comma; then the text begins.
        let mut name = rest.find(char::is_whitespace).unwrap_or(rest.len());
        while rest[..name].ends_with(',') || rest[name..].trim_start().starts_with(',') {
            let next = rest[name..].trim_start().trim_start_matches(',').trim_start();
            let from = rest.len() - next.len();
            name = from + next.find(char::is_whitespace).unwrap_or(next.len());
            if next.is_empty() {
                break;
            }
        }
        let (who, text) = (&rest[..name], rest[name..].trim());
        let head = &content[..side.len()];
        let end_note = |line: &crate::document::Line<'_>| {
            let text = line.text.trim();
            text.eq_ignore_ascii_case("end note") || text.eq_ignore_ascii_case("endnote")
        };
        if text.is_empty() {
            let next = lines[at + 1..].iter().take(20);
            let Some(length) =
                next.take_while(|_| document.spend(1)).position(end_note).filter(|length| *length > 0)
            else {
                continue;
            };
            // The texts of notes inside of notes are written again for each.
            if !document.spend(lines[at + 1 + length].end() - line.start) {
                break;
            }
            let texts: Vec<&str> =
                lines[at + 1..at + 1 + length].iter().map(|line| line.text.trim()).collect();
            let end = lines[at + 1 + length].range().end;
            let hit = Hit::replace(
                start..end,
                "A note over several lines.",
                format!("{head}{who}: {}", texts.join("<br/>")),
            );
            hits.push(Hit { end: start + content.len(), ..hit });
        } else {
            hits.push(Hit::replace(
                start..start + content.len(),
                "The text of the note has no colon before it.",
                format!("{head}{who}: {text}"),
            ));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn a_note_is_one_line() {
        check_fix(
            "sequenceDiagram\n  A->>B: hi\n  note right of A\n    one\n    two\n  end note\n",
            "sequenceDiagram\n  A->>B: hi\n  note right of A: one<br/>two\n",
        );
    }
}
