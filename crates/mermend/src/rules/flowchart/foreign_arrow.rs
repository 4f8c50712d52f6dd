//! FLOW006: arrows of other languages.

use super::scan;
use crate::flowchart_statement::{Body, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `->`, `->>`, `=>`, `→` and other signs that are arrows elsewhere.
    ///
    /// ## Why it breaks
    /// An arrow of a flowchart has at least two dashes, two equals signs or a dash, a dot and a dash.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   Ask -> Think
    ///   Think → Answer
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Think
    ///   Think --> Answer
    /// ```
    ///
    /// ## Fix
    /// Write `-->`.
    "FLOW006", "foreign-arrow", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        let Body::Chain(pieces) = &statement.body else {
            continue;
        };
        for piece in pieces {
            if let Piece::Link(link) = piece
                && let Some(good) = link.should_be
            {
                let message = format!("`{}` is no arrow of a flowchart.", &document.text[link.arrow.clone()]);
                hits.push(Hit::replace(link.arrow.clone(), message, good));
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn arrows_are_made_mermaids() {
        check_rule("FLOW006", "flowchart TD\n  A => B\n%%  ^^ `=>` is no arrow of a flowchart.\n");
        check_fix(
            "flowchart TD\n  A --->> B\n  B -- x -> C\n  C —> D\n",
            "flowchart TD\n  A ---> B\n  B -- x --> C\n  C --> D\n",
        );
        check_fix("flowchart TD\n  A[a -> b] -> B\n", "flowchart TD\n  A[a -> b] --> B\n");
    }
}
