//! FLOW018: subgraphs that contain each other.

use std::collections::HashMap;

use merman::model::SemanticDiagramModel;

use crate::{
    document::Document,
    engines::fast::{self, Share},
    flowchart_statement::Body,
    rules::rule::Hit,
};

use super::scan;

warning! {
    /// ## What it finds
    /// A subgraph that contains itself, directly or through another subgraph: a node in it has the id of the subgraph
    /// that it stands in.
    ///
    /// ## Why it breaks
    /// Mermaid's parser accepts the text, but the diagram cannot be drawn: a node with the id of a subgraph is that
    /// subgraph. Some versions of Mermaid show an error, others never come to an end and block the page.
    ///
    /// ## Fix
    /// Give the node another id than the subgraph, or close the outer subgraph with `end` before the inner one begins.
    Error, "FLOW018", "subgraph-cycle", find
}

pub(super) fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("flowchart") || !document.text.contains("subgraph") {
        return Vec::new();
    }
    let Ok(Ok(parsed)) = fast::parse(document.text, document.deadline(), Share::Part) else {
        return Vec::new();
    };
    let SemanticDiagramModel::Flowchart(model) = parsed.model else {
        return Vec::new();
    };
    let at: HashMap<&str, usize> =
        model.subgraphs.iter().enumerate().map(|(at, group)| (group.id.as_str(), at)).collect();
    let inner: Vec<Vec<usize>> = model
        .subgraphs
        .iter()
        .map(|group| group.nodes.iter().filter_map(|id| at.get(id.as_str()).copied()).collect())
        .collect();
    let Some(group) = first_in_cycle(&inner).and_then(|at| model.subgraphs.get(at)) else {
        return Vec::new();
    };
    let text = document.text;
    let place = scan::statements(document).iter().find_map(|statement| match &statement.body {
        Body::Keyword { word, rest } if &text[word.clone()] == "subgraph" => {
            text[rest.clone()].starts_with(&group.id).then(|| statement.range.clone())
        }
        _ => None,
    });
    let range = place.or_else(|| document.header().map(|line| line.range())).unwrap_or_default();
    let message = format!("The subgraph `{}` contains itself, so that no picture can be drawn.", group.id);
    vec![Hit::new(range, message, Vec::new())]
}

/// A subgraph that can be reached from itself. Each is visited once.
fn first_in_cycle(inner: &[Vec<usize>]) -> Option<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; inner.len()];
    for start in 0..inner.len() {
        let mut path = vec![(start, 0)];
        while let Some((at, next)) = path.pop() {
            if next == 0 && states[at] != State::New {
                continue;
            }
            states[at] = State::Open;
            match inner[at].get(next) {
                Some(child) => {
                    path.push((at, next + 1));
                    match states[*child] {
                        State::Open => return Some(*child),
                        State::New => path.push((*child, 0)),
                        State::Done => {}
                    }
                }
                None => states[at] = State::Done,
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::first_in_cycle;

    #[test]
    fn cycles_are_found() {
        for (inner, cycle) in [
            (vec![vec![]], false),
            (vec![vec![0]], true),
            (vec![vec![1], vec![2], vec![]], false),
            (vec![vec![1, 2], vec![2], vec![]], false),
            (vec![vec![], vec![2], vec![1]], true),
            (vec![vec![1], vec![2], vec![0]], true),
        ] {
            assert_eq!(first_in_cycle(&inner).is_some(), cycle, "{inner:?}");
        }
    }
}
