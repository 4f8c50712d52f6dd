//! MMD107: characters that look like another, or like nothing.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// No-break spaces, zero-width characters, byte order marks, and typographic quotes where Mermaid wants plain ones.
    ///
    /// ## Why it breaks
    /// To Mermaid they are neither spaces nor quotes but parts of names.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   A[“Ask (politely)”] --> B[Answer]
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   A["Ask (politely)"] --> B[Answer]
    /// ```
    ///
    /// ## Fix
    /// Write a plain space, a plain `"`, or nothing.
    "MMD107", "invisible-characters", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for line in document.open_lines() {
        // Behind an odd number of quotes.
        let mut in_quotes = false;
        for (at, character) in line.text.char_indices() {
            in_quotes ^= character == '"';
            let (plain, message) = match character {
                '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => {
                    (" ", "A no-break space stands where a space should.")
                }
                '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {
                    ("", "An invisible character.")
                }
                '“' | '”' | '„' | '‟' | '″' if !in_quotes && delimits(document, line.text, at, character) => {
                    ("\"", "A typographic quote stands where a plain one should.")
                }
                _ => continue,
            };
            let start = line.start + at;
            hits.push(Hit::replace(start..start + character.len_utf8(), message, plain));
        }
    }
    hits
}

/// The quote stands at the edge of a label, not inside one.
fn delimits(document: &Document<'_>, line: &str, at: usize, quote: char) -> bool {
    let (head, tail) = (line[..at].trim_end(), line[at + quote.len_utf8()..].trim_start());
    let spaces = line.len() - quote.len_utf8() - head.len() - tail.len();
    let before = head.chars().next_back();
    let after = tail.chars().next();
    document.spend(spaces + 1)
        && (before.is_none_or(|c| "[({|:/\\".contains(c)) || after.is_none_or(|c| "])}|:/\\".contains(c)))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn they_become_plain() {
        check_rule("MMD107", "flowchart TD\n  A[x\u{200b}] --> B\n%%   ^ An invisible character.\n");
        check_fix("flow\u{200b}chart\u{a0}TD\n\u{a0}\u{a0}A --> B\n", "flowchart TD\n  A --> B\n");
        check_fix("pie\n  “Cats” : 3\n", "pie\n  \"Cats\" : 3\n");
        check_fix(
            "flowchart TD\n  A{“Is it (ok)?”} -->|“yes (1)”| B\n",
            "flowchart TD\n  A{\"Is it (ok)?\"} -->|\"yes (1)\"| B\n",
        );
    }
}
