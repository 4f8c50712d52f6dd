//! MMD109: comments as other languages write them.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    reading,
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// Lines that begin with `//` or `#`, lines in `<!-- … -->`, and comments behind a statement.
    ///
    /// ## Why it breaks
    /// A comment of Mermaid is a line of its own that begins with `%%`.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   // what we sell
    ///   class Product
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   %% what we sell
    ///   class Product
    /// ```
    ///
    /// ## Fix
    /// Put the comment on a line of its own and begin it with `%%`.
    "MMD109", "foreign-comment", FixClass::Safe, find
}

/// Kinds whose texts may contain such signs without being comments.
const FREE: [&str; 6] = ["mindmap", "kanban", "timeline", "journey", "tree_view", "ishikawa"];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if document.kind.is_none_or(|kind| FREE.contains(&kind.id)) {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let end = start + content.len();
        let html = content.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
        let whole = content.strip_prefix("//").or_else(|| content.strip_prefix("# ")).or(html);
        if let Some(comment) = whole {
            let good = format!("%% {}", comment.trim().trim_start_matches(['%', '{']));
            hits.push(Hit::replace(start..end, "A comment of another language.", good));
            continue;
        }
        if let Some((at, length)) = reading::comment(content) {
            let comment = format!(
                "{}%% {}\n",
                line.indent(),
                content[at + length..].trim().trim_start_matches(['%', '{'])
            );
            let statement = content[..at].trim_end().len();
            let edits = vec![
                Edit::replace(line.start, line.start, comment),
                Edit::replace(start + statement, end, ""),
            ];
            hits.push(Hit::new(start + at + 1..end, "A comment behind a statement.", edits));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn comments_get_their_sign() {
        check_fix("erDiagram\n  # shop\n  A ||--|| B : has\n", "erDiagram\n  %% shop\n  A ||--|| B : has\n");
        check_fix("flowchart TD\n  <!-- x -->\n  A --> B\n", "flowchart TD\n  %% x\n  A --> B\n");
        check_fix(
            "flowchart TD\n  A[\"#7 # x\"] -->|a # b| B   # one # two\n  B --> C %% three\n",
            "flowchart TD\n  %% one # two\n  A[\"#7 # x\"] -->|a # b| B\n  %% three\n  B --> C\n",
        );
        check_fix("flowchart TD\n  A -> B: one # two\n", "flowchart TD\n  A -->|one # two| B\n");
        check_fix(
            "sequenceDiagram\n  A->>B: one; two # three // four\n",
            "sequenceDiagram\n  A->>B: one#59; two # three // four\n",
        );
        check_fix("classDiagram\n  class A // the first\n", "classDiagram\n  %% the first\n  class A\n");
    }
}
