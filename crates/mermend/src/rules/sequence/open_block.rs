//! SEQ006: a block that is not closed.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// One block without its `end`, where only one place is left for it: the end of the text.
    ///
    /// ## Why it breaks
    /// Every `alt`, `loop`, `opt`, `par` and other block needs an `end`.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   loop daily
    ///     Ann->>Bob: hi
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   loop daily
    ///     Ann->>Bob: hi
    ///   end
    /// ```
    ///
    /// ## Fix
    /// Write `end` behind the last line of the block.
    "SEQ006", "open-block", FixClass::Safe, find
}

const OPENERS: [&str; 9] = ["loop", "alt", "opt", "par", "par_over", "critical", "break", "rect", "box"];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("sequence") {
        return Vec::new();
    }
    let mut open = Vec::new();
    for line in document.body() {
        let word = line.content().1.split([' ', '\t', ';']).next().unwrap_or_default();
        if OPENERS.contains(&word) {
            open.push(line);
        } else if word == "end" {
            open.pop();
        }
    }
    let [block] = open.as_slice() else {
        return Vec::new();
    };
    let end = document.text.trim_end().len();
    let edits = vec![Edit::replace(end, end, format!("\n{}end", block.indent()))];
    vec![Hit::new(block.range(), "This block has no `end`.", edits)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn the_last_block_is_closed() {
        check_fix(
            "sequenceDiagram\n  alt a\n    A->>B: x\n  else b\n    A->>B: y\n",
            "sequenceDiagram\n  alt a\n    A->>B: x\n  else b\n    A->>B: y\n  end\n",
        );
    }
}
