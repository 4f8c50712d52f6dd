//! SEQ006: a block that is not closed.

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
    /// A block (`alt`, `loop`, `opt`, `par`, …) without its `end`.
    ///
    /// ## Why it breaks
    /// Every block needs an `end`.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   loop daily
    ///     Ann->>Bob: hi
    ///   Bob->>Ann: bye
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   loop daily
    ///     Ann->>Bob: hi
    ///   end
    ///   Bob->>Ann: bye
    /// ```
    ///
    /// ## Fix
    /// Write `end` behind the last line of the block. The repair sees by the indentation which one that is; where it
    /// does not show, the author has to decide.
    "SEQ006", "open-block", FixClass::Safe, find, structural: true
}

const OPENERS: [&str; 9] = ["loop", "alt", "opt", "par", "par_over", "critical", "break", "rect", "box"];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("sequence") {
        return Vec::new();
    }
    let lines: Vec<_> = document.body().collect();
    let entries: Vec<Entry> = lines
        .iter()
        .map(|line| {
            let range = line.range();
            let role = match line.content().1.split([' ', '\t', ';']).next().unwrap_or_default() {
                word if OPENERS.contains(&word) => Role::Open,
                "end" | "}" | "endif" | "endloop" | "endalt" => Role::Close,
                "else" | "elseif" | "elif" | "elsif" | "and" | "option" => Role::Middle,
                _ => Role::Other,
            };
            Entry { indent: range.start - line.start, range, role }
        })
        .collect();
    let Some(missing) = missing_ends(&entries) else {
        let first = entries.iter().find(|entry| entry.role == Role::Open);
        let message = "A block has no `end`, and the indentation does not show where it should be.";
        return first.map(|entry| Hit::for_the_author(entry.range.clone(), message)).into_iter().collect();
    };
    missing
        .into_iter()
        .map(|missing| {
            let line = &lines[missing.opener];
            let edits = vec![Edit::replace(missing.end, missing.end, format!("\n{}end", line.indent()))];
            Hit::new(line.range(), "This block has no `end`.", edits)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_refused};

    #[test]
    fn a_block_ends_where_the_indentation_ends() {
        check_fix(
            "sequenceDiagram\n  alt a\n    A->>B: x\n  else b\n    A->>B: y\n",
            "sequenceDiagram\n  alt a\n    A->>B: x\n  else b\n    A->>B: y\n  end\n",
        );
        check_fix(
            "sequenceDiagram\n  alt a\n    opt b\n      A->>B: x\n  else c\n    A->>B: y\n  end\n",
            "sequenceDiagram\n  alt a\n    opt b\n      A->>B: x\n    end\n  else c\n    A->>B: y\n  end\n",
        );
    }

    #[test]
    fn without_indentation_only_the_author_knows() {
        check_refused("sequenceDiagram\nalt a\nA->>B: x\nopt b\nB->>A: y\nend\n");
    }
}
