//! SEQ005: blocks as programming languages write them.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `elseif`, `else` inside `opt` or `loop`, and blocks in curly brackets.
    ///
    /// ## Why it breaks
    /// Only `alt` has an `else`, there is no `elseif`, and every block ends with `end`.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   opt known
    ///     Ann->>Bob: hi
    ///   elseif unknown
    ///     Ann->>Bob: who are you?
    ///   end
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   alt known
    ///     Ann->>Bob: hi
    ///   else unknown
    ///     Ann->>Bob: who are you?
    ///   end
    /// ```
    ///
    /// ## Fix
    /// Write `alt … else … end`.
    "SEQ005", "block-words", FixClass::Safe, find, structural: true,
    grammar: &["elseif", "elif", "elsif", "opt", "if", "endif", "endloop", "endalt"]
}

const OPENERS: [&str; 8] = ["loop", "alt", "opt", "par", "critical", "break", "rect", "box"];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("sequence") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    // For each open block the word that opens it and where that stands.
    let mut open: Vec<(&str, usize)> = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let end = start + content.len();
        let word = content.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let after = start + word.len();
        let brace = content.ends_with('{').then(|| start + content[..content.len() - 1].trim_end().len());
        let mut edits: Vec<Edit> = Vec::new();
        if OPENERS.contains(&word) {
            open.push((word, start));
        } else if word == "end" {
            open.pop();
        } else if matches!(content, "endif" | "endloop" | "endalt") || (content == "}" && !open.is_empty()) {
            open.pop();
            edits.push(Edit::replace(start, end, "end"));
        } else if matches!(word, "elseif" | "elif" | "elsif") {
            edits.push(Edit::replace(start, after, "else"));
        }
        if matches!(word, "else" | "elseif" | "elif" | "elsif")
            && let Some((opener @ "opt", at)) = open.last().copied()
        {
            edits.push(Edit::replace(at, at + opener.len(), "alt"));
            if let Some(last) = open.last_mut() {
                last.0 = "alt";
            }
        }
        if let Some(brace) = brace.filter(|_| OPENERS.contains(&word) || word.starts_with("els")) {
            edits.push(Edit::replace(brace, end, ""));
        }
        if !edits.is_empty() {
            hits.push(Hit::new(
                start..end,
                "A block begins with its word, and ends with `end`; only `alt` has an `else`.",
                edits,
            ));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn blocks_are_made_mermaids() {
        check_fix(
            "sequenceDiagram\n  loop daily {\n    A->>B: hi\n  }\n",
            "sequenceDiagram\n  loop daily\n    A->>B: hi\n  end\n",
        );
    }
}
