//! FLOW004: a word of the grammar as the id of a node.

use std::collections::{HashMap, HashSet};

use super::scan;
use crate::flowchart_statement::{Body, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A node called `end`, `graph`, `subgraph`, `style`, `class`, `click`, `default` or another word of the grammar.
    ///
    /// ## Why it breaks
    /// Mermaid takes the word for the statement that it begins.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   Ask --> end
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> end_["end"]
    /// ```
    ///
    /// ## Fix
    /// Give the node another id, everywhere, and keep the word as its label.
    "FLOW004", "reserved-id", FixClass::Safe, find
}

/// Words that no node may be called, as Mermaid compares them.
const RESERVED: [&str; 13] = [
    "end",
    "graph",
    "subgraph",
    "style",
    "class",
    "click",
    "default",
    "linkStyle",
    "classDef",
    "flowchart",
    "direction",
    "href",
    "call",
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let statements = scan::statements(document);
    let mut hits = Vec::new();
    // A label is written once; where the author gave one, that one stays.
    let mut labelled: HashSet<&str> = HashSet::new();
    let nodes = statements.iter().filter_map(|statement| match &statement.body {
        Body::Chain(pieces) => Some(pieces),
        Body::Keyword { .. } => None,
    });
    let nodes: Vec<_> = nodes
        .flatten()
        .filter_map(|piece| if let Piece::Node(node) = piece { Some(node) } else { None })
        .collect();
    labelled.extend(nodes.iter().filter(|node| node.shape.is_some()).map(|node| &text[node.id.clone()]));
    let taken: HashSet<&str> = nodes.iter().map(|node| &text[node.id.clone()]).collect();
    let mut names: HashMap<&str, String> = HashMap::new();
    for node in &nodes {
        let id = &text[node.id.clone()];
        if !RESERVED.contains(&id) {
            continue;
        }
        let free = names.entry(id).or_insert_with(|| {
            let mut name = format!("{id}_");
            while document.spend(name.len()) && taken.contains(name.as_str()) {
                name.push('_');
            }
            name
        });
        let mut name = free.clone();
        if node.shape.is_none() && labelled.insert(id) {
            name = format!("{name}[\"{id}\"]");
        }
        let message = format!("`{id}` is a word of the grammar and cannot be a node.");
        hits.push(Hit { group: Some(id.to_owned()), ..Hit::replace(node.id.clone(), message, name) });
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn reserved_ids_get_another_name() {
        check_rule(
            "FLOW004",
            "flowchart TD\n  A --> end\n%%      ^^^ `end` is a word of the grammar and cannot be a node.\n",
        );
        check_fix(
            "flowchart TD\n  A --> end\n  B --> end\n",
            "flowchart TD\n  A --> end_[\"end\"]\n  B --> end_\n",
        );
        check_fix(
            "flowchart TD\n  class[Pick a class] --> B\n  B --> class\n",
            "flowchart TD\n  class_[Pick a class] --> B\n  B --> class_\n",
        );
        check_fix(
            "flowchart TD\n  graph(Plot) --> end\n  end_ --> A\n",
            "flowchart TD\n  graph_(Plot) --> end__[\"end\"]\n  end_ --> A\n",
        );
    }
}
