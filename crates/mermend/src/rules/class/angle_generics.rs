//! CLASS001: generic types as programming languages write them.

use std::collections::HashMap;

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
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
    "CLASS001", "angle-generics", FixClass::Safe, find
}

pub(super) fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let text = line.text;
        let closing = pairs(text);
        // Every bracket, for the edits.
        let brackets: Vec<usize> = text.match_indices(['<', '>']).map(|(at, _)| at).collect();
        let mut in_quotes = false;
        let mut name = 0;
        let mut done = 0;
        let mut before = None;
        for (at, character) in text.char_indices() {
            in_quotes ^= character == '"';
            // A name touches it on the left; `<<`, `<|--` and `<--` are something else.
            let touches = before.is_some_and(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if character == '<'
                && touches
                && !in_quotes
                && at >= done
                && let Some(close) = closing.get(&at)
            {
                let from = brackets.partition_point(|bracket| *bracket < at);
                let to = brackets.partition_point(|bracket| bracket <= close);
                let edits = brackets[from..to]
                    .iter()
                    .map(|bracket| Edit::replace(line.start + bracket, line.start + bracket + 1, "~"))
                    .collect();
                done = close + 1;
                hits.push(Hit::new(
                    line.start + name..line.start + done,
                    "A generic type in angle brackets.",
                    edits,
                ));
            }
            if !(character.is_alphanumeric() || character == '_') {
                name = at + character.len_utf8();
            }
            before = Some(character);
        }
    }
    hits
}

/// The closing bracket of each opening one between which there is nothing but types.
fn pairs(line: &str) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut found = HashMap::new();
    for (at, character) in line.char_indices() {
        match character {
            '<' => open.push(at),
            '>' => {
                if let Some(from) = open.pop() {
                    found.insert(from, at);
                }
            }
            c if c.is_alphanumeric() || matches!(c, '_' | ',' | ' ' | '[' | ']' | '.' | '?' | '&') => {}
            _ => open.clear(),
        }
    }
    found
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
        // Mermaid accepts the member, so that it is left; CLASS006 warns of it.
        check_fix(
            "classDiagram\n  class Box<T> {\n    +List<T> items\n  }\n  Box<T> --> Lid\n",
            "classDiagram\n  class Box~T~ {\n    +List<T> items\n  }\n  Box~T~ --> Lid\n",
        );
    }
}
