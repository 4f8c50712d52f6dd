//! CLASS004: notes and stereotypes that are nearly right.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `note for A: text` with a colon in place of quotes, and stereotypes in «guillemets».
    ///
    /// ## Why it breaks
    /// The text of a note stands in quotes; a stereotype stands between `<<` and `>>`.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   class Shape
    ///   note for Shape: has no area
    ///   «interface» Shape
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   class Shape
    ///   note for Shape "has no area"
    ///   <<interface>> Shape
    /// ```
    ///
    /// ## Fix
    /// Write `note for Shape "text"` and `<<interface>> Shape`.
    "CLASS004", "note-and-stereotype", FixClass::Safe, find, grammar: &["right", "left", "of"]
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let range = start..start + content.len();
        if let Some((sort, rest)) = content.strip_prefix('«').and_then(|rest| rest.split_once('»')) {
            hits.push(Hit::replace(
                range,
                "A stereotype in guillemets.",
                format!("<<{}>>{rest}", sort.trim()),
            ));
        } else if let Some((name, text)) = ["note for ", "note right of ", "note left of "]
            .iter()
            .find_map(|side| content.strip_prefix(side))
            .and_then(|rest| rest.split_once(':'))
            && !name.contains('"')
        {
            let text = text.trim().trim_matches('"').replace('"', "'");
            hits.push(Hit::replace(
                range,
                "The text of the note is not in quotes.",
                format!("note for {} \"{text}\"", name.trim()),
            ));
        } else if let Some(text) =
            content.strip_prefix("note").map(|rest| rest.trim_start_matches(':').trim())
            && content[4..].starts_with([':', ' '])
            && !["for ", "left of ", "right of "].iter().any(|side| text.starts_with(side))
            && !text.contains('"')
            && !text.is_empty()
        {
            hits.push(Hit::replace(
                range,
                "The text of the note is not in quotes.",
                format!("note \"{text}\""),
            ));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn notes_are_quoted() {
        check_fix(
            "classDiagram\n  class A\n  note: all (of it)\n",
            "classDiagram\n  class A\n  note \"all (of it)\"\n",
        );
    }
}
