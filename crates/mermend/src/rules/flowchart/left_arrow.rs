//! FLOW015: an arrow whose only head is at the left.

use super::scan;
use crate::flowchart_statement::{Body, Form, Node, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `A <-- B` and `A <- B`.
    ///
    /// ## Why it breaks
    /// An arrow of a flowchart points to the right or to both sides.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   Report <--|reads| Clerk
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   Clerk -->|reads| Report
    /// ```
    ///
    /// ## Fix
    /// Write the node where the arrow begins first.
    "FLOW015", "left-arrow", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        let Body::Chain(pieces) = &statement.body else { continue };
        let message = "An arrow of a flowchart does not point to the left.";
        if let [Piece::Node(to), Piece::Link(link), Piece::Node(from)] = pieces.as_slice()
            && link.reverse
            && link.form != Form::OpenPipe
            && let Some((to, from)) = written(text, to).zip(written(text, from))
        {
            let label = link.label.clone().map_or(String::new(), |label| format!("|{}|", &text[label]));
            let good = format!("{from} -->{label} {to}");
            hits.push(Hit::replace(statement.range.clone(), message, good));
        } else if pieces.iter().any(|piece| matches!(piece, Piece::Link(link) if link.reverse)) {
            hits.push(Hit::for_the_author(statement.range.clone(), message));
        }
    }
    hits
}

/// A node as it is written, if its outline is closed.
fn written<'a>(text: &'a str, node: &Node) -> Option<&'a str> {
    match &node.shape {
        None => Some(&text[node.id.clone()]),
        Some(shape) if shape.should_close.is_none() && !node.id.is_empty() => {
            Some(&text[node.id.start..shape.close.end])
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_refused};

    #[test]
    fn the_ends_change_places() {
        check_fix(
            "flowchart LR\n  A[Till] <- B[\"Clerk (2)\"]\n",
            "flowchart LR\n  B[\"Clerk (2)\"] --> A[Till]\n",
        );
        check_fix("flowchart LR\n  A<--B\n", "flowchart LR\n  B --> A\n");
        check_refused("flowchart LR\n  A <-- B <-- C\n");
    }
}
