//! FLOW017: a name or a label that loses its first letter to the arrow.

use crate::{document::Document, finding::Edit, reading, rules::rule::Hit};

warning! {
    /// ## What it finds
    /// In a valid flowchart, an `o` or `x` that touches an arrow and looks like the beginning of a word or like a node:
    /// `A---operator`, `check--ok-->ship`, `o-->p`.
    ///
    /// ## Why it breaks
    /// `--o` and `--x` are arrows that end in a circle or a cross. Mermaid takes the letter for that end:
    /// `A---operator` leads to a node `perator`, `--ok-->` to a node `k`, and in `o-->p` there is no node `o`.
    ///
    /// ## Fix
    /// Put a space between the arrow and the word: `A--- operator`, `-- ok -->`, `o -->p`.
    Warning, "FLOW017", "letter-as-head", find
}

pub(super) fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("flowchart") {
        return Vec::new();
    }
    let Some(first) = document.body().next() else {
        return Vec::new();
    };
    let text = &document.text[first.start..];
    let mut hits = Vec::new();
    for range in reading::statements(text) {
        if !document.spend(range.len() + 1) {
            break;
        }
        let start = first.start + range.start;
        let statement = &text[range];
        if document.is_closed(&(start..start + statement.len())) {
            continue;
        }
        let mut before = 0;
        for connector in reading::connectors(statement) {
            let arrow = connector.range;
            let (head, tail) = (&statement[before..arrow.start], &statement[arrow.end..]);
            let mut letters = tail.chars();
            let word = letters.next().filter(|c| matches!(c, 'o' | 'x')).is_some()
                && letters.next().is_none_or(|c| c.is_alphanumeric() || c == '_' || c == '[' || c == '(')
                && statement[arrow.clone()].ends_with(['-', '=']);
            if word {
                let length = tail.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(tail.len());
                let message = format!(
                    "Mermaid reads the `{}` of `{}` as the end of the arrow.",
                    &tail[..1],
                    &tail[..length]
                );
                let at = start + arrow.end;
                hits.push(Hit::new(at..at + length, message, vec![Edit::replace(at, at, " ")]));
            }
            // The whole node is one letter, and nothing stands before it.
            if matches!(head.trim_start(), "o" | "x") && before == 0 {
                let at = start + arrow.start;
                let message = format!("Mermaid reads the node `{}` as the end of the arrow.", head.trim());
                hits.push(Hit::new(at - 1..at, message, vec![Edit::replace(at, at, " ")]));
            }
            before = arrow.end;
        }
    }
    hits
}
