//! CLASS002: classes declared as programming languages do.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `interface Shape {`, `abstract class Shape`, `enum Colour {` and similar declarations.
    ///
    /// ## Why it breaks
    /// Mermaid knows only `class`; what sort of class it is stands inside as a stereotype.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   interface Shape {
    ///     +area() float
    ///   }
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   class Shape {
    ///     <<interface>>
    ///     +area() float
    ///   }
    /// ```
    ///
    /// ## Fix
    /// Write `class` and put the sort into `<<…>>` as the first line of the body.
    "CLASS002", "keyword-declaration", FixClass::Safe, find,
    grammar: &["enum", "abstract", "struct", "public", "static", "final", "class"]
}

/// What stands before the name, longest first, and the stereotype that says it.
const WORDS: [(&str, &str); 9] = [
    ("public abstract class", "abstract"),
    ("abstract class", "abstract"),
    ("public interface", "interface"),
    ("enum class", "enumeration"),
    ("public class", ""),
    ("abstract", "abstract"),
    ("interface", "interface"),
    ("enumeration", "enumeration"),
    ("enum", "enumeration"),
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let Some((word, sort)) = WORDS
            .iter()
            .find(|(word, _)| content.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')))
        else {
            continue;
        };
        let rest = content[word.len()..].trim();
        let (name, open) = match rest.strip_suffix('{') {
            Some(name) => (name.trim_end(), true),
            None => (rest, false),
        };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || matches!(c, ':' | '(' | '-')) {
            continue;
        }
        let deeper = format!("{}  ", line.indent());
        let text = match (open, *sort) {
            (true, "") => format!("class {name} {{"),
            (true, sort) => format!("class {name} {{\n{deeper}<<{sort}>>"),
            (false, "") => format!("class {name}"),
            (false, sort) => format!("class {name} {{\n{deeper}<<{sort}>>\n{}}}", line.indent()),
        };
        let message = format!("Mermaid has no `{word}`.");
        let edits = vec![Edit::replace(start, start + content.len(), text)];
        hits.push(Hit::new(start..start + word.len(), message, edits));
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn declarations_become_stereotypes() {
        check_rule(
            "CLASS002",
            "classDiagram\n  enum Colour {\n%%^^^^ Mermaid has no `enum`.\n    RED\n  }\n",
        );
        check_fix(
            "classDiagram\n  abstract class Shape\n  Shape <|-- Box\n",
            "classDiagram\n  class Shape {\n    <<abstract>>\n  }\n  Shape <|-- Box\n",
        );
        check_fix(
            "classDiagram\n  enum Colour {\n    RED\n  }\n",
            "classDiagram\n  class Colour {\n    <<enumeration>>\n    RED\n  }\n",
        );
    }
}
