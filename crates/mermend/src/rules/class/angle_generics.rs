//! CLASS001: generic types as programming languages write them.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::Hit,
};

rule! {
    /// ## What it finds
    /// `List<Order>` as the name of a class or as a type.
    ///
    /// ## Why it breaks
    /// Angle brackets are arrows and stereotypes; Mermaid writes generic types with `~`.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   class Basket<Item>
    ///   Basket<Item> --> Item
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   class Basket~Item~
    ///   Basket~Item~ --> Item
    /// ```
    ///
    /// ## Fix
    /// Write `List~Order~`.
    "CLASS001", "angle-generics", Some(FixClass::Safe), find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let bytes = line.text.as_bytes();
        let mut at = 0;
        while let Some(found) = line.text[at..].find('<').map(|found| at + found) {
            at = found + 1;
            // A name touches it on the left; `<<`, `<|--` and `<--` are something else.
            let touches = found > 0 && (bytes[found - 1].is_ascii_alphanumeric() || bytes[found - 1] == b'_');
            let in_quotes = line.text[..found].matches('"').count() % 2 == 1;
            if !touches || in_quotes {
                continue;
            }
            let Some((end, edits)) = pairs(line.text, line.start, found) else {
                continue;
            };
            let name =
                line.text[..found].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
            let name_start =
                line.text.char_indices().map(|(at, _)| at).find(|at| *at >= name).unwrap_or(found);
            hits.push(Hit::new(
                line.start + name_start..line.start + end,
                "A generic type in angle brackets.",
                edits,
            ));
            at = end;
        }
    }
    hits
}

/// The edits for all brackets of one type, and where it ends.
fn pairs(line: &str, start: usize, from: usize) -> Option<(usize, Vec<Edit>)> {
    let mut depth = 0;
    let mut edits = Vec::new();
    for (at, character) in line[from..].char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            c if c.is_alphanumeric() || matches!(c, '_' | ',' | ' ' | '[' | ']' | '.' | '?' | '&') => {
                continue;
            }
            _ => return None,
        }
        edits.push(Edit::replace(start + from + at, start + from + at + 1, "~"));
        if depth == 0 {
            return Some((from + at + 1, edits));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn angle_brackets_become_tildes() {
        check_rule(
            "CLASS001",
            "classDiagram\n  class Box<T>\n%%      ^^^^^^ A generic type in angle brackets.\n",
        );
        check_fix(
            "classDiagram\n  class Box<T> {\n    +List<T> items\n  }\n",
            "classDiagram\n  class Box~T~ {\n    +List~T~ items\n  }\n",
        );
    }
}
