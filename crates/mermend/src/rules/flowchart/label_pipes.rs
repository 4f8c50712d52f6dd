//! FLOW008: the pipes around the label of a link.

use super::scan;
use crate::flowchart_statement::{Body, Form, Piece};
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// A label of a link with a pipe on one side only, or with `>` behind it.
    ///
    /// ## Why it breaks
    /// The label stands between two pipes directly behind the arrow.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   A -->|yes|> B
    ///   A -->|no C[Stop]
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   A -->|yes| B
    ///   A -->|no| C[Stop]
    /// ```
    ///
    /// ## Fix
    /// Write `A -->|text| B`.
    "FLOW008", "label-pipes", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        let Body::Chain(pieces) = &statement.body else {
            continue;
        };
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Link(link) if link.extra.is_some() => {
                    let range = link.extra.clone().unwrap_or_default();
                    hits.push(Hit::replace(range, "A `>` too many behind the label.", ""));
                }
                Piece::Link(link) if link.form == Form::OpenPipe && link.should_be.is_none() => {
                    let Some(label) =
                        link.label.clone().filter(|label| !text[label.clone()].trim().is_empty())
                    else {
                        continue;
                    };
                    let good = format!("{}|", text[label.clone()].trim_end());
                    hits.push(Hit::replace(label, "The label has no closing pipe.", good));
                }
                // `--> yes| B`
                Piece::Link(link) if link.form == Form::Bare => {
                    let words = pieces[at + 1..]
                        .iter()
                        .take_while(|piece| matches!(piece, Piece::Node(node) if node.shape.is_none()))
                        .count();
                    if words > 0
                        && let Some(Piece::Junk(pipe)) = pieces.get(at + 1 + words)
                        && &text[pipe.clone()] == "|"
                        && let Some(Piece::Node(first)) = pieces.get(at + 1)
                    {
                        let edits = vec![Edit::replace(link.range.end, first.id.start, "|")];
                        hits.push(Hit::new(
                            first.id.start..pipe.end,
                            "The label has no opening pipe.",
                            edits,
                        ));
                    }
                }
                _ => {}
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn pipes_come_in_pairs() {
        check_fix("flowchart TD\n  A --> all fine| B\n", "flowchart TD\n  A -->|all fine| B\n");
        check_fix("flowchart TD\n  A ==>|all fine B\n", "flowchart TD\n  A ==>|all fine| B\n");
    }
}
