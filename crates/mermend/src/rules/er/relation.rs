//! ER002: relations with the numbers and labels of other notations.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `1--*` in place of crow's feet, crow's feet that are turned round, and a label of several words without quotes.
    ///
    /// ## Why it breaks
    /// How many is drawn with `||`, `o|`, `|{` and `o{`; a label of several words stands in quotes.
    ///
    /// ## Example
    /// ```text
    /// erDiagram
    ///   CLIENT 1--* ORDER : places one or more
    /// ```
    /// becomes
    /// ```mermaid
    /// erDiagram
    ///   CLIENT ||--o{ ORDER : "places one or more"
    /// ```
    ///
    /// ## Fix
    /// Write `CLIENT ||--o{ ORDER : "places one or more"`.
    "ER002", "entity-relation", FixClass::Safe, find, grammar: &["0", "1", "n", "m"]
}

/// Multiplicities in other notations: at the left end, at the right end.
const NUMBERS: [(&str, &str, &str); 9] = [
    ("0..1", "|o", "o|"),
    ("0..*", "}o", "o{"),
    ("1..*", "}|", "|{"),
    ("0..n", "}o", "o{"),
    ("1..n", "}|", "|{"),
    ("1", "||", "||"),
    ("*", "}o", "o{"),
    ("n", "}o", "o{"),
    ("m", "}o", "o{"),
];

/// Crow's feet that are turned round, as they stand at the right end and at the left.
const TURNED: [(&str, &str); 4] = [("{o", "o{"), ("{|", "|{"), ("o}", "}o"), ("|}", "}|")];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("er") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        if let Some(good) = relation(content).filter(|good| good != content) {
            hits.push(Hit::replace(
                start..start + content.len(),
                format!("In Mermaid this is `{good}`."),
                good,
            ));
        }
    }
    hits
}

fn relation(line: &str) -> Option<String> {
    let (head, label) = match line.split_once(" :").or_else(|| line.split_once(':')) {
        Some((head, label)) => (head, Some(label.trim())),
        None => (line, None),
    };
    let (at, stroke) =
        ["--", ".."].iter().filter_map(|stroke| strokes(head, stroke).map(|at| (at, *stroke))).min()?;
    let (left, right) = (head[..at].trim_end(), head[at + 2..].trim_start());
    let (from, left) =
        left.split_once(char::is_whitespace).map_or((left, ""), |(name, number)| (name, number.trim()));
    let (right, to) =
        right.rsplit_once(char::is_whitespace).map_or(("", right), |(number, name)| (number.trim(), name));
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let left = end(left, |(_, left, _)| left)?;
    let right = end(right, |(_, _, right)| right)?;
    let mut good = format!("{from} {left}{stroke}{right} {to}");
    if let Some(label) = label {
        // Escaped as in JSON.
        let inner = label.strip_prefix("\\\"").and_then(|rest| rest.strip_suffix("\\\""));
        let label = inner.unwrap_or(label);
        let quoted = label.starts_with('"') || !label.contains([' ', ':', '(', '/', ',', '.']);
        let label = if quoted { label.to_owned() } else { format!("\"{}\"", label.replace('"', "'")) };
        good.push_str(" : ");
        good.push_str(&label);
    }
    Some(good)
}

/// Where the stroke of the relation stands: two dots that are part of `0..*` are none.
fn strokes(head: &str, stroke: &str) -> Option<usize> {
    head.match_indices(stroke)
        .map(|(at, _)| at)
        .find(|at| stroke == "--" || !head[..*at].ends_with(|c: char| c.is_ascii_digit()))
}

fn end(
    written: &str,
    side: fn((&'static str, &'static str, &'static str)) -> &'static str,
) -> Option<String> {
    const FEET: [&str; 7] = ["||", "|o", "o|", "}o", "o{", "}|", "|{"];
    let plain = written.trim_matches('"');
    if FEET.contains(&plain) {
        return Some(plain.to_owned());
    }
    if let Some((_, good)) = TURNED.iter().find(|(turned, _)| *turned == plain) {
        return Some((*good).to_owned());
    }
    NUMBERS.iter().find(|(number, ..)| number.eq_ignore_ascii_case(plain)).map(|row| side(*row).to_owned())
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn relations_are_made_mermaids() {
        check_fix("erDiagram\n  A ||--{o B : has\n", "erDiagram\n  A ||--o{ B : has\n");
        check_fix("erDiagram\n  A 0..1--1..* B : owns (all)\n", "erDiagram\n  A |o--|{ B : \"owns (all)\"\n");
    }
}
