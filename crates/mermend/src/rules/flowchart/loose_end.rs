//! FLOW014: an `end` or an arrow that belongs to nothing.

use super::scan;
use crate::flowchart_statement::{Body, Form, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// An `end` with no subgraph before it, and an arrow that leads nowhere.
    ///
    /// ## Why it breaks
    /// `end` closes a subgraph, and an arrow has a node on both sides.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   A --> B -->
    ///   end
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   A --> B
    /// ```
    ///
    /// ## Fix
    /// Take it away, or write what is missing. The repair takes it away, and nothing else.
    "FLOW014", "loose-end", FixClass::Lossy, find, structural: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut open = 0_usize;
    let mut hits = Vec::new();
    for statement in scan::statements(document) {
        match &statement.body {
            Body::Keyword { word, .. } => match &text[word.clone()] {
                "subgraph" => open += 1,
                "end" if open == 0 => {
                    let line = text[..word.start].trim_end_matches([' ', '\t']).len();
                    let line = if text[..line].ends_with('\n') { line - 1 } else { line };
                    hits.push(Hit {
                        start: word.start,
                        ..Hit::replace(line..word.end, "This `end` closes nothing.", "")
                    });
                }
                "end" => open -= 1,
                _ => {}
            },
            Body::Chain(pieces) => {
                if let [.., Piece::Node(_) | Piece::Extra, Piece::Link(link)] = pieces.as_slice()
                    && link.form == Form::Bare
                    && !text[link.range.clone()].ends_with(['x', 'o'])
                {
                    let from = text[..link.range.start].trim_end().len();
                    hits.push(Hit {
                        start: link.range.start,
                        ..Hit::replace(from..link.range.end, "This arrow leads nowhere.", "")
                    });
                }
            }
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn loose_ends_go() {
        check_fix("flowchart TD\n  A --> B\n  end\n  B --> C ==>\n", "flowchart TD\n  A --> B\n  B --> C\n");
    }
}
