//! FLOW009: a label behind a colon, as in other kinds of diagram.

use super::{scan, unquoted_label};
use crate::flowchart_statement::{Body, Form, Piece};
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `A --> B: text`, as sequence, class and state diagrams write a label.
    ///
    /// ## Why it breaks
    /// In a flowchart the label stands at the arrow.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   Shop --> Bank: pay (card)
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   Shop -->|"pay (card)"| Bank
    /// ```
    ///
    /// ## Fix
    /// Write `A -->|text| B`.
    "FLOW009", "colon-label", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        let Body::Chain(pieces) = &statement.body else {
            continue;
        };
        let [Piece::Node(_), Piece::Link(link), Piece::Node(target), Piece::Junk(colon), ..] =
            pieces.as_slice()
        else {
            continue;
        };
        if &text[colon.clone()] != ":" || link.form != Form::Bare {
            continue;
        }
        let label = text[colon.end..statement.range.end].trim();
        if label.is_empty() {
            continue;
        }
        // Angle brackets are HTML in a label.
        let label = label.replace('<', "#lt;").replace('>', "#gt;");
        let label = unquoted_label::quoted(&label).unwrap_or(label);
        let end = target.shape.as_ref().map_or(target.id.end, |shape| shape.close.end);
        let edits = vec![
            Edit::replace(link.range.end, link.range.end, format!("|{label}|")),
            Edit::replace(end, statement.range.end, ""),
        ];
        hits.push(Hit::new(colon.start..statement.range.end, "A label behind a colon.", edits));
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn the_label_goes_to_the_arrow() {
        check_fix(
            "flowchart LR\n  A -.-> B[b]: <<extend>>\n",
            "flowchart LR\n  A -.->|#lt;#lt;extend#gt;#gt;| B[b]\n",
        );
        check_fix("flowchart LR\n  A->>B: hi\n", "flowchart LR\n  A-->|hi|B\n");
    }
}
