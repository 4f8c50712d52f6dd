//! What can be read of a diagram that Mermaid may refuse: words, labels, edges and blocks.
//!
//! A repair is judged by comparing this reading before and after (`kept.rs`). It shares no code with the rules, so that
//! it does not share their mistakes. It never rejects: what it cannot read has words only. Read `flowchart.rs` next.

mod flowchart;
mod plain;
mod relations;
mod sequence;

use std::collections::HashMap;

pub(crate) use flowchart::{connectors, statements};
pub(crate) use plain::{comment, outside, words};

use crate::document::Document;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// How often each word occurs, in lower case.
    pub(crate) words: HashMap<String, usize>,
    pub(crate) edges: Vec<Edge>,
    /// Texts that are drawn, without blanks, quotes and brackets.
    pub(crate) labels: Vec<String>,
    pub(crate) blocks: Vec<Block>,
    /// The words of the label of each node, by the words of its id.
    pub(crate) names: HashMap<String, Vec<String>>,
}

/// A line between two elements, in the direction of its arrow.
#[derive(Debug, Default, Clone)]
pub(crate) struct Edge {
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
    /// As in [`Reading::labels`].
    pub(crate) label: String,
    /// Stroke and heads; a part that cannot be read is `?`.
    pub(crate) kind: [&'static str; 3],
    /// Where the label ends and the target begins cannot be read: both are in `to`.
    pub(crate) loose: bool,
}

/// A subgraph, a body in braces, a block of messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The id, if one stands before a title.
    pub(crate) id: Option<String>,
    pub(crate) words: Vec<String>,
}

/// Words that open a block and are no part of its name.
const OPENERS: [&str; 30] = [
    "subgraph",
    "class",
    "interface",
    "enum",
    "enumeration",
    "abstract",
    "struct",
    "public",
    "static",
    "final",
    "namespace",
    "state",
    "loop",
    "alt",
    "opt",
    "par",
    "par_over",
    "critical",
    "break",
    "rect",
    "box",
    "else",
    "elseif",
    "elif",
    "elsif",
    "and",
    "option",
    "requirement",
    "element",
    "over",
];

impl Reading {
    /// Reads a whole diagram.
    pub(crate) fn of(document: &Document<'_>) -> Reading {
        let mut lines: Vec<&str> = document.body().map(|line| line.text).collect();
        // The first statement may stand on the line of the header.
        let header = document.header().map(|line| line.content().1).unwrap_or_default();
        let mut rest = header.splitn(3, char::is_whitespace).skip(2);
        if let Some((_, after)) = header.split_once(';') {
            lines.insert(0, after);
        } else if let Some(after) = rest.next() {
            lines.insert(0, after);
        }
        let mut reading = Reading::of_lines(document.kind.map(|kind| kind.id), &lines.join("\n"));
        reading.words.clear();
        reading.count(document.text);
        reading
    }

    /// Reads some lines of a diagram of this kind.
    pub(crate) fn of_lines(kind: Option<&str>, text: &str) -> Reading {
        let mut reading = Reading::default();
        reading.count(text);
        let text = plain::without_escapes(text);
        let is_comment = |line: &str| ["%%", "//", "# ", "<!--"].iter().any(|mark| line.starts_with(mark));
        let open = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
        match kind {
            Some("flowchart") => {
                let open: Vec<&str> = open.collect();
                flowchart::read(&open.join("\n"), &mut reading);
            }
            Some("sequence") => open.for_each(|line| sequence::read(line, &mut reading)),
            Some(kind @ ("class" | "er" | "state")) => {
                open.for_each(|line| relations::read(kind, line, &mut reading));
            }
            _ => {}
        }
        reading
    }

    fn count(&mut self, text: &str) {
        words(text).into_iter().for_each(|word| *self.words.entry(word).or_default() += 1);
    }

    fn label(&mut self, text: &str) {
        let label = plain::label(text);
        if !label.is_empty() {
            self.labels.push(label);
        }
    }

    fn block(&mut self, id: Option<&str>, title: &str) {
        let mut named = words(title);
        named.retain(|word| !OPENERS.contains(&word.as_str()));
        self.blocks.push(Block { id: id.map(str::to_lowercase), words: named });
    }

    fn edge(&mut self, mut edge: Edge) {
        if edge.from.is_empty() || edge.to.is_empty() {
            return;
        }
        // An arrow to the left is one to the right from the other end.
        let [stroke, left, right] = edge.kind;
        if left != "" && left != "?" && right == "" {
            std::mem::swap(&mut edge.from, &mut edge.to);
            edge.kind = [stroke, "", left];
        }
        self.edges.push(edge);
    }
}
