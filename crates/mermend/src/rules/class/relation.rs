//! CLASS003: relations with the arrows, numbers and labels of other notations.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `->`, `<>--`, `<|-` as the arrow of a relation, numbers at its ends that are not in quotes, and its label
    /// between pipes.
    ///
    /// ## Why it breaks
    /// A relation is a class, a number in quotes, an arrow of two dashes or dots, a number in quotes, a class, and a
    /// label behind a colon.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   Basket 1 --> 0..* Item : holds
    ///   Item -> Product
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   Basket "1" --> "0..*" Item : holds
    ///   Item --> Product
    /// ```
    ///
    /// ## Fix
    /// Write `Basket "1" --> "0..*" Item : holds`.
    "CLASS003", "class-relation", FixClass::Safe, find
}

/// Arrows, the longest first, and what they are in Mermaid.
const ARROWS: [(&str, &str); 34] = [
    ("<|--|>", "<|--|>"),
    ("<>-->", "o-->"),
    ("<|--", "<|--"),
    ("--|>", "--|>"),
    ("<|..", "<|.."),
    ("..|>", "..|>"),
    ("*-->", "*-->"),
    ("o-->", "o-->"),
    ("-->>", "-->"),
    ("--<>", "--o"),
    ("<>--", "o--"),
    ("<>->", "o-->"),
    ("<-->", "<-->"),
    ("<..>", "<..>"),
    ("<--", "<--"),
    ("-->", "-->"),
    ("*--", "*--"),
    ("--*", "--*"),
    ("o--", "o--"),
    ("--o", "--o"),
    ("..>", "..>"),
    ("<..", "<.."),
    ("<|-", "<|--"),
    ("-|>", "--|>"),
    ("=>", "-->"),
    ("->", "-->"),
    ("<-", "<--"),
    ("o-", "o--"),
    ("*-", "*--"),
    ("-o ", "--o "),
    ("-* ", "--* "),
    ("--", "--"),
    ("..", ".."),
    ("→", "-->"),
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    let mut depth = 0_usize;
    for line in document.body() {
        let (start, content) = line.content();
        let inside = depth > 0;
        if content.ends_with('{') {
            depth += 1;
        } else if content.starts_with('}') {
            depth = depth.saturating_sub(1);
        }
        if inside
            || content.contains(['{', '}', '(', '<'])
                && !content.contains("<|")
                && !content.contains("<-")
                && !content.contains("<>")
                && !content.contains("<.")
        {
            continue;
        }
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

/// The relation as Mermaid writes it.
fn relation(line: &str) -> Option<String> {
    let (head, label) = match line.find(" :").or_else(|| line.find(": ")) {
        Some(at) => (&line[..at], line[at..].trim_start_matches([' ', ':']).trim()),
        None => (line, ""),
    };
    let (left, from, rest) = end(head, false)?;
    let (arrow, good) = ARROWS.iter().find(|(arrow, _)| rest.starts_with(arrow))?;
    let mut rest = rest[arrow.len()..].trim_start();
    let mut label = label.to_owned();
    if let Some((piped, after)) = rest.strip_prefix('|').and_then(|inner| inner.split_once('|')) {
        if !label.is_empty() {
            return None;
        }
        label = piped.trim().trim_matches('"').to_owned();
        rest = after.trim_start();
    }
    let (to, right, over) = end(rest, true)?;
    if !over.trim().is_empty() {
        return None;
    }
    let quote = |number: &str| {
        if number.is_empty() { String::new() } else { format!("\"{number}\"") }
    };
    let good = good.trim_end().to_owned();
    let mut parts = vec![left.to_owned(), quote(from), good, quote(to), right.to_owned()];
    if !label.is_empty() {
        parts.extend([":".to_owned(), label]);
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join(" "))
}

/// One end of a relation: its class and its number, in the order in which they are read, and what follows.
fn end(text: &str, number_first: bool) -> Option<(&str, &str, &str)> {
    let text = text.trim_start();
    if number_first {
        let (number, rest) = number(text).unwrap_or(("", text));
        let (name, rest) = name(rest.trim_start())?;
        return Some((number, name, rest));
    }
    let (name, rest) = name(text)?;
    let rest = rest.trim_start();
    let (number, rest) = number(rest).unwrap_or(("", rest));
    Some((name, number, rest.trim_start()))
}

fn name(text: &str) -> Option<(&str, &str)> {
    let length = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '~')).unwrap_or(text.len());
    // A name does not begin with a digit: that is a number at the end of the arrow.
    (length > 0 && !text.starts_with(|c: char| c.is_ascii_digit())).then(|| text.split_at(length))
}

/// `1`, `*`, `0..*`, `"many"` at an end of an arrow.
fn number(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('"') {
        return inner.split_once('"');
    }
    let bare = |length: usize| (length > 0).then(|| text.split_at(length));
    let first = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if let Some(rest) = text[first..].strip_prefix("..").filter(|_| first > 0) {
        let second = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let second = if second == 0 && rest.starts_with(['*', 'n']) { 1 } else { second };
        return bare(first + 2 + second).filter(|_| second > 0);
    }
    if first > 0 {
        return bare(first + usize::from(text[first..].starts_with(['+', '*'])));
    }
    // A star that touches the dashes is a composition.
    bare(usize::from(text.starts_with('*') && !text[1..].starts_with(['-', '.'])))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn relations_are_made_mermaids() {
        check_fix("classDiagram\n  A <>-- B\n  A <|- C : is\n", "classDiagram\n  A o-- B\n  A <|-- C : is\n");
        check_fix(
            "classDiagram\n  A 1--0..* B\n  A 1 *-- 2 C: owns\n",
            "classDiagram\n  A \"1\" -- \"0..*\" B\n  A \"1\" *-- \"2\" C : owns\n",
        );
        check_fix("classDiagram\n  A -->|uses| B\n", "classDiagram\n  A --> B : uses\n");
    }
}
