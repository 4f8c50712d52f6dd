//! FLOW010: a node that is only a text.

use std::collections::{HashMap, HashSet};

use super::scan;
use crate::flowchart_statement::{Body, Piece};
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// A text in quotes or brackets where a node should stand, with no id before it.
    ///
    /// ## Why it breaks
    /// Every node has an id; the text in brackets behind it is its label.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   "Ask" --> (Answer it)
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   n1["Ask"] --> n2(Answer it)
    /// ```
    ///
    /// ## Fix
    /// Write an id before the text. The same text gets the same id.
    "FLOW010", "nameless-node", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let statements = scan::statements(document);
    let chains = statements
        .iter()
        .filter_map(|statement| if let Body::Chain(pieces) = &statement.body { Some(pieces) } else { None });
    let nodes: Vec<_> = chains
        .flatten()
        .filter_map(|piece| if let Piece::Node(node) = piece { Some(node) } else { None })
        .collect();
    let taken: HashSet<&str> = nodes.iter().map(|node| &text[node.id.clone()]).collect();
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut next = 1;
    let mut hits = Vec::new();
    for node in nodes.iter().filter(|node| node.id.is_empty()) {
        let Some(shape) = &node.shape else { continue };
        let label = text[shape.label.clone()].trim();
        let name = names.entry(label).or_insert_with(|| {
            while taken.contains(format!("n{next}").as_str()) {
                next += 1;
            }
            next += 1;
            format!("n{}", next - 1)
        });
        let whole = shape.open.start.min(shape.label.start)..shape.close.end;
        let edits = if shape.open.is_empty() {
            vec![Edit::replace(shape.label.start, shape.label.end, format!("{name}[{label}]"))]
        } else {
            vec![Edit::replace(shape.open.start, shape.open.start, name.clone())]
        };
        hits.push(Hit::new(whole, "A node without an id.", edits));
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn the_same_text_is_the_same_node() {
        check_fix(
            "flowchart LR\n  n1 --> (Pay)\n  \"Go\" --> \"Stop\"\n  \"Stop\" --> (Pay)\n",
            "flowchart LR\n  n1 --> n2(Pay)\n  n3[\"Go\"] --> n4[\"Stop\"]\n  n4[\"Stop\"] --> n2(Pay)\n",
        );
    }
}
