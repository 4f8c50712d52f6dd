//! FLOW011: an id of several words.

use std::collections::HashMap;

use super::scan;
use crate::flowchart_statement::{Body, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// Several words where the id of a node should stand.
    ///
    /// ## Why it breaks
    /// An id is one word; a text with spaces is a label.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   Front desk --> Back office
    ///   Back office --> Front desk
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   Front_desk["Front desk"] --> Back_office["Back office"]
    ///   Back_office --> Front_desk
    /// ```
    ///
    /// ## Fix
    /// Join the words for the id, and keep them as the label. Words that are the label of another node mean that node.
    "FLOW011", "spaced-id", FixClass::Safe, find, renames: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let statements = scan::statements(document);
    let chains: Vec<_> = statements
        .iter()
        .filter_map(|statement| if let Body::Chain(pieces) = &statement.body { Some(pieces) } else { None })
        .collect();
    let mut labels: HashMap<String, Option<&str>> = HashMap::new();
    for node in chains
        .iter()
        .flat_map(|pieces| pieces.iter())
        .filter_map(|piece| if let Piece::Node(node) = piece { Some(node) } else { None })
    {
        if let Some(shape) = &node.shape
            && !node.id.is_empty()
        {
            let id = &text[node.id.clone()];
            let label = text[shape.label.clone()].trim().trim_matches('"').to_lowercase();
            labels
                .entry(label)
                .and_modify(|known| *known = known.filter(|known| *known == id))
                .or_insert(Some(id));
        }
    }
    let mut named: HashMap<String, String> = HashMap::new();
    let mut hits = Vec::new();
    for pieces in chains {
        // Without an arrow, or with signs that cannot be read, the words may be anything.
        if !pieces.iter().any(|piece| matches!(piece, Piece::Link(_)))
            || pieces.iter().any(|piece| matches!(piece, Piece::Junk(_)))
        {
            continue;
        }
        let is_one_name = |a: &Piece, b: &Piece| match (a, b) {
            (Piece::Node(a), Piece::Node(b)) => a.shape.is_none() && !b.id.is_empty(),
            _ => false,
        };
        for run in pieces.chunk_by(is_one_name) {
            let ([Piece::Node(first), .., Piece::Node(last)], true) = (run, run.len() > 1) else { continue };
            let words = text[first.id.start..last.id.end].split_whitespace().collect::<Vec<_>>();
            // Words of letters; anything else is a mistake that only looks like several words.
            let is_name = |word: &&str| {
                word.len() > 1
                    && word.starts_with(char::is_alphabetic)
                    && word.chars().all(|c| c.is_alphanumeric() || c == '_')
            };
            if !words.iter().all(is_name) {
                continue;
            }
            let spoken = words.join(" ");
            let joined = words.join("_");
            let good = match labels.get(&spoken.to_lowercase()) {
                Some(Some(id)) if last.shape.is_none() => (*id).to_owned(),
                // Two nodes have this label: only the author knows.
                Some(None) => continue,
                _ if last.shape.is_some() => joined,
                // The label is written where the node comes first.
                _ => match named.insert(spoken.clone(), joined.clone()) {
                    Some(known) => known,
                    None => format!("{joined}[\"{spoken}\"]"),
                },
            };
            // `--other thing`: Mermaid takes the first letter for the end of the arrow.
            let touches = text[..first.id.start].ends_with(['-', '=', '.']) && spoken.starts_with(['o', 'x']);
            let message = format!("`{spoken}` is several words, and an id is one.");
            if touches {
                hits.push(Hit::for_the_author(first.id.start..last.id.end, message));
                continue;
            }
            hits.push(Hit::replace(first.id.start..last.id.end, message, good));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn words_that_are_a_label_mean_that_node() {
        check_fix(
            "flowchart LR\n  A --> FD[Front desk]\n  Caller --> Front desk\n",
            "flowchart LR\n  A --> FD[Front desk]\n  Caller --> FD\n",
        );
    }
}
