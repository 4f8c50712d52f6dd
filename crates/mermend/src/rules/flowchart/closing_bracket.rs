//! FLOW007: the end of an outline is missing or swapped.

use super::{scan, unquoted_label};
use crate::flowchart_statement::{Body, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A label whose closing brackets are missing, too few or swapped.
    ///
    /// ## Why it breaks
    /// An outline ends with the mirror of what it begins with: `([…])`, `((…))`, `[…]`.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   A([Ask)] --> B((Answer)
    ///   B --> C[Thank
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   A([Ask]) --> B((Answer))
    ///   B --> C[Thank]
    /// ```
    ///
    /// ## Fix
    /// Close the label with the mirror of its opening.
    "FLOW007", "closing-bracket", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        let Body::Chain(pieces) = &statement.body else {
            continue;
        };
        for piece in pieces {
            let Piece::Node(node) = piece else { continue };
            let Some(shape) = &node.shape else { continue };
            let Some(good) = shape.should_close else { continue };
            let label = &text[shape.label.clone()];
            if label.trim().is_empty() {
                continue;
            }
            let label = unquoted_label::quoted(label).unwrap_or_else(|| label.to_owned());
            let message = format!("`{}` should be closed with `{good}`.", &text[shape.open.clone()]);
            hits.push(Hit::replace(shape.label.start..shape.close.end, message, format!("{label}{good}")));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn outlines_are_closed() {
        check_fix("flowchart TD\n  A[one --> B{two\n", "flowchart TD\n  A[one] --> B{two}\n");
        check_fix("flowchart TD\n  A[[one] --> B\n", "flowchart TD\n  A[[one]] --> B\n");
    }
}
