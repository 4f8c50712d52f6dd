//! ER003: an entity that is not closed.

use crate::{
    document::{Document, Line},
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// An entity whose `{` has no `}` before the next entity or relation begins, or the text ends.
    ///
    /// ## Why it breaks
    /// Mermaid reads all that follows as attributes of that entity.
    ///
    /// ## Example
    /// ```text
    /// erDiagram
    ///   ORDER {
    ///     int id PK
    ///   CLIENT {
    ///     int id PK
    ///   }
    /// ```
    /// becomes
    /// ```mermaid
    /// erDiagram
    ///   ORDER {
    ///     int id PK
    ///   }
    ///   CLIENT {
    ///     int id PK
    ///   }
    /// ```
    ///
    /// ## Fix
    /// Write `}` behind the last attribute.
    "ER003", "open-entity", FixClass::Safe, find, structural: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("er") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    let mut open: Option<Line<'_>> = None;
    let mut last = None;
    for line in document.body() {
        let content = line.content().1;
        let relation = content.contains("--") || content.contains("..");
        let begins = content.ends_with('{') && !relation;
        if let Some(entity) = open.filter(|_| begins || relation)
            && let Some(end) = last
        {
            hits.push(close(&entity, end));
            open = None;
        }
        if begins {
            open = Some(line);
        } else if content.ends_with('}') {
            open = None;
        }
        last = Some(line.end());
    }
    if let (Some(entity), Some(end)) = (open, last) {
        hits.push(close(&entity, end));
    }
    hits
}

fn close(entity: &Line<'_>, at: usize) -> Hit {
    let edits = vec![Edit::replace(at, at, format!("\n{}}}", entity.indent()))];
    Hit::new(entity.range(), "This entity is not closed.", edits)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn entities_are_closed() {
        check_fix(
            "erDiagram\n  A {\n    int id\n  A ||--|| B : has\n",
            "erDiagram\n  A {\n    int id\n  }\n  A ||--|| B : has\n",
        );
    }
}
