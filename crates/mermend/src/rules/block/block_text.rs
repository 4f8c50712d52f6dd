//! BLOCK001: accessible titles and Markdown, which block diagrams do not have.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `accTitle` and `accDescr` in a block diagram, and labels as Markdown strings (text in backticks within quotes).
    ///
    /// ## Why it breaks
    /// The grammar of block diagrams has neither.
    ///
    /// ## Example
    /// ```text
    /// block-beta
    ///   accTitle: Store rooms
    ///   columns 1
    ///   hall["`Main **hall**`"]
    /// ```
    /// becomes
    /// ```mermaid
    /// block-beta
    ///   %% accTitle: Store rooms
    ///   columns 1
    ///   hall["Main hall"]
    /// ```
    ///
    /// ## Fix
    /// Describe the diagram in the text around it, and write the label without Markdown. The repair makes the title a
    /// comment and drops the marks.
    "BLOCK001", "block-text", FixClass::Lossy, find, unwraps: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("block") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.lines() {
        if !document.spend(line.text.len() + 1) {
            break;
        }
        let (start, content) = line.content();
        let word = content.split([':', ' ', '{']).next().unwrap_or_default();
        if matches!(word, "accTitle" | "accDescr") && !content.ends_with('{') {
            let message = format!("`{word}` is no part of a block diagram.");
            hits.push(Hit::new(line.range(), message, vec![Edit::replace(start, start, "%% ")]));
        } else if !line.closed
            && let Some((open, close)) =
                content.find("\"`").zip(content.rfind("`\"")).filter(|(a, b)| a + 2 < *b)
        {
            let text: String = content[open + 2..close].chars().filter(|c| !matches!(c, '*' | '`')).collect();
            let range = start + open + 1..start + close + 1;
            hits.push(Hit::replace(range, "A block diagram has no Markdown strings.", text));
        }
    }
    hits
}
