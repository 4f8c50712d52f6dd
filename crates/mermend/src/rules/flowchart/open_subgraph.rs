//! FLOW013: a subgraph that is not closed.

use super::scan;
use crate::flowchart_statement::Body;
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::{
        open_blocks::{Entry, Role, missing_ends},
        rule::Hit,
    },
};

rule! {
    /// ## What it finds
    /// A `subgraph` without its `end`.
    ///
    /// ## Why it breaks
    /// Every `subgraph` needs an `end`.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   subgraph Shop
    ///     A --> B
    ///   subgraph Store
    ///     C --> A
    ///   end
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   subgraph Shop
    ///     A --> B
    ///   end
    ///   subgraph Store
    ///     C --> A
    ///   end
    /// ```
    ///
    /// ## Fix
    /// Write `end` behind the last statement of the subgraph. The repair sees by the indentation which one that is;
    /// where it does not show, the author has to decide.
    "FLOW013", "open-subgraph", FixClass::Safe, find, structural: true
}

/// The most blanks that a repair repeats.
const MAX_INDENT: usize = 100;

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    let (mut line_start, mut seen) = (0, 0);
    for statement in scan::statements(document) {
        let start = statement.range.start;
        if let Some(at) = text[seen..start].rfind('\n') {
            line_start = seen + at + 1;
        }
        seen = start;
        let role = match &statement.body {
            Body::Keyword { word, .. } if &text[word.clone()] == "subgraph" => Role::Open,
            Body::Keyword { word, .. } if &text[word.clone()] == "end" => Role::Close,
            _ => Role::Other,
        };
        let indent = text[line_start..].len() - text[line_start..].trim_start_matches([' ', '\t']).len();
        entries.push(Entry { range: statement.range.clone(), indent, role });
        lines.push(line_start);
    }
    let Some(missing) = missing_ends(&entries) else {
        let first = entries.iter().find(|entry| entry.role == Role::Open);
        let message = "A subgraph has no `end`, and the indentation does not show where it should be.";
        return first.map(|entry| Hit::for_the_author(entry.range.clone(), message)).into_iter().collect();
    };
    let close = |missing: crate::rules::open_blocks::Missing| {
        let opener = &entries[missing.opener];
        let indent = &text[lines[missing.opener]..][..opener.indent.min(MAX_INDENT)];
        let edits = vec![Edit::replace(missing.end, missing.end, format!("\n{indent}end"))];
        Hit::new(opener.range.clone(), "This subgraph has no `end`.", edits)
    };
    missing.into_iter().map(close).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_refused};

    #[test]
    fn a_subgraph_ends_where_the_indentation_ends() {
        check_fix(
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n    end\n    y --> x\n",
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n    end\n    y --> x\n  end\n",
        );
        check_fix(
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n  end\n  y --> x\n",
            "flowchart TD\n  subgraph A\n    subgraph B\n      x\n    end\n  end\n  y --> x\n",
        );
        check_fix(
            "flowchart TD\n  subgraph A\n    x --> y\n  z --> x\n",
            "flowchart TD\n  subgraph A\n    x --> y\n  end\n  z --> x\n",
        );
        check_fix("flowchart TD\nsubgraph A\nx --> y\n", "flowchart TD\nsubgraph A\nx --> y\nend\n");
    }

    #[test]
    fn a_subgraph_is_never_put_into_another_by_a_guess() {
        check_refused("flowchart TD\nsubgraph A\nx --> y\nsubgraph B\nA --> z\nend\n");
    }
}
