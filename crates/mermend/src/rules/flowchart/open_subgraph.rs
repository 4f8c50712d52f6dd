//! FLOW013: a subgraph that is not closed.

use super::scan;
use crate::flowchart_statement::Body;
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// One `subgraph` without its `end`, where only one place is left for it: the end of the text.
    ///
    /// ## Why it breaks
    /// Every `subgraph` needs an `end`.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   subgraph Shop
    ///     A --> B
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   subgraph Shop
    ///     A --> B
    ///   end
    /// ```
    ///
    /// ## Fix
    /// Write `end` behind the last statement of the subgraph.
    "FLOW013", "open-subgraph", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut open = Vec::new();
    for statement in scan::statements(document) {
        let Body::Keyword { word, .. } = &statement.body else {
            continue;
        };
        match &text[word.clone()] {
            "subgraph" => open.push(statement.range.clone()),
            "end" => drop(open.pop()),
            _ => {}
        }
    }
    // Of several, each could end in many places.
    let [subgraph] = open.as_slice() else {
        return Vec::new();
    };
    let indent_start = text[..subgraph.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[indent_start..subgraph.start];
    let end = text.trim_end().len();
    let edits = vec![Edit::replace(end, end, format!("\n{indent}end"))];
    vec![Hit::new(subgraph.clone(), "This subgraph has no `end`.", edits)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn the_outer_one_is_closed_last() {
        check_fix(
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n    end\n    y --> x\n",
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n    end\n    y --> x\n  end\n",
        );
    }
}
