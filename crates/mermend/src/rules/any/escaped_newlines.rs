//! MMD105: a diagram as it stands in a JSON string.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A diagram in one line, with `\n` where its lines end, or as a JSON string in quotes.
    ///
    /// ## Why it breaks
    /// Mermaid has no backslash escapes: to it the whole text is one line.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD\n  Ask --> Answer\n  Answer --> Thank
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Answer
    ///   Answer --> Thank
    /// ```
    ///
    /// ## Fix
    /// Read the text as JSON would: `\n` is a line break, `\"` a quote.
    "MMD105", "escaped-newlines", FixClass::Safe, find, unwraps: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text.trim();
    let start = document.text.len() - document.text.trim_start().len();
    let quoted = text.len() > 2 && text.starts_with('"') && text.ends_with('"');
    if let Some(string) = quoted.then(|| serde_json::from_str::<String>(text).ok()).flatten() {
        let message = "The diagram is a JSON string.";
        return vec![Hit::replace(start..start + text.len(), message, string)];
    }
    // With line breaks of its own, `\n` is something that the author wrote into a label.
    if text.contains('\n') || text.matches("\\n").count() < 1 {
        return Vec::new();
    }
    let inner = text.strip_prefix(['"', '\'']).and_then(|t| t.strip_suffix(['"', '\''])).unwrap_or(text);
    vec![Hit::replace(start..start + text.len(), "The line breaks are written as `\\n`.", unescape(inner))]
}

/// Line breaks, tabs and quotes as JSON writes them. A `\n` between quotes is a break inside a label.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut in_quotes = false;
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('n')) => out.push_str(if in_quotes { "<br/>" } else { "\n" }),
            ('\\', Some('t')) => out.push_str("  "),
            ('\\', Some('r')) => {}
            ('\\', Some('"')) => {
                in_quotes = !in_quotes;
                out.push('"');
            }
            ('\\', Some('\\')) => out.push('\\'),
            _ => {
                in_quotes ^= character == '"';
                out.push(character);
                continue;
            }
        }
        characters.next();
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn one_line_becomes_many() {
        check_fix("flowchart TD\\n  A[\\\"x\\\"] --> B\\n", "flowchart TD\n  A[\"x\"] --> B\n");
        check_fix("\"sequenceDiagram\\n  A->>B: \\u00fc\"", "sequenceDiagram\n  A->>B: ü");
        check_fix("flowchart TD\\n  A[\"x\\ny\"] --> B", "flowchart TD\n  A[\"x<br/>y\"] --> B");
    }
}
