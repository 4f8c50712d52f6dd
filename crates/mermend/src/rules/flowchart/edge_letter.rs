//! FLOW016: a label or a node that begins with `o` or `x` and touches its arrow.

use std::collections::HashSet;

use super::scan;
use crate::flowchart_statement::{Body, Form, Piece};
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `A--only if paid-->B` and `A---x`: the letter behind the dashes begins a label, or is a node.
    ///
    /// ## Why it breaks
    /// `--o` and `--x` are arrows that end in a circle or a cross, so that Mermaid takes the letter away from the word.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   A[Order]--only if paid-->B[Ship]
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   A[Order]-- only if paid -->B[Ship]
    /// ```
    ///
    /// ## Fix
    /// Put a space between the dashes and the word.
    "FLOW016", "edge-letter", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let statements = scan::statements(document);
    let chains = || {
        statements.iter().filter_map(|statement| match &statement.body {
            Body::Chain(pieces) => Some(pieces.as_slice()),
            Body::Keyword { .. } => None,
        })
    };
    let nodes: HashSet<&str> = chains()
        .flatten()
        .filter_map(|piece| if let Piece::Node(node) = piece { Some(&text[node.id.clone()]) } else { None })
        .collect();
    let mut hits = Vec::new();
    for pieces in chains() {
        for piece in pieces {
            let Piece::Link(link) = piece else { continue };
            let Some(label) = link.label.clone().filter(|_| matches!(link.form, Form::Inline('-' | '=')))
            else {
                continue;
            };
            let said = &text[label.clone()];
            let touches = text[..label.start].ends_with(['-', '=']);
            // A letter alone may be meant as the end of the arrow.
            if touches && said.starts_with(['o', 'x']) && said.len() > 1 {
                let mut edits = vec![Edit::replace(label.start, label.start, " ")];
                if label.end == link.arrow.start {
                    edits.push(Edit::replace(label.end, label.end, " "));
                }
                let message =
                    "The first letter of the label touches the dashes and is read as the end of an arrow.";
                hits.push(Hit::new(label, message, edits));
            }
        }
        // The letter is the node that the arrow leads to.
        if let [.., Piece::Node(_) | Piece::Extra, Piece::Link(link)] = pieces
            && link.form == Form::Bare
            && text[link.arrow.clone()].ends_with(['o', 'x'])
        {
            let at = link.arrow.end - 1;
            let (letter, dashes) = (&text[at..link.arrow.end], &text[link.arrow.start..at]);
            let complete = dashes.len() >= 3 || dashes.ends_with('.');
            let message =
                format!("`{letter}` touches the dashes and is read as the end of an arrow to nowhere.");
            hits.push(match complete && nodes.contains(letter) {
                true => Hit::new(link.arrow.clone(), message, vec![Edit::replace(at, at, " ")]),
                false => Hit::for_the_author(link.arrow.clone(), message),
            });
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_refused};

    #[test]
    fn letters_get_room() {
        check_fix(
            "flowchart LR\n  A==other rooms==>B\n  C-- x y-->D\n  C--x-ray first-->D\n",
            "flowchart LR\n  A== other rooms ==>B\n  C-- x y-->D\n  C-- x-ray first -->D\n",
        );
        check_fix("flowchart LR\n  x[Out] --> p\n  p---x\n", "flowchart LR\n  x[Out] --> p\n  p--- x\n");
        check_refused("flowchart LR\n  A --> p\n  p --x\n");
        check_refused("flowchart LR\n  A--x-->B\n");
        check_refused("flowchart LR\n  A---other thing---B\n");
    }
}
