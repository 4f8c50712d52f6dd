//! FLOW012: statements that are nearly one.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

use super::unquoted_label;

rule! {
    /// ## What it finds
    /// `direction: LR`, a link of `click` without quotes, two `class` statements on one line, and notes as state
    /// diagrams have them.
    ///
    /// ## Why it breaks
    /// A flowchart has no notes, its directions have no colon, and a link stands in quotes.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   A --> B
    ///   note right of A: by hand
    ///   click A href https://example.com
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   A --> B
    ///   A -.- note1["by hand"]
    ///   click A href "https://example.com"
    /// ```
    ///
    /// ## Fix
    /// Write the statement as a flowchart has it; a note becomes a node on a dotted line.
    "FLOW012", "loose-statement", FixClass::Safe, find, grammar: &["note", "left", "right", "over", "of"]
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("flowchart") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    let mut notes = 0;
    for line in document.body() {
        let (start, content) = line.content();
        let words: Vec<&str> = content.split_whitespace().collect();
        let good = match words.as_slice() {
            ["direction:", direction] | ["direction", ":", direction] => {
                Some(format!("direction {}", direction.to_uppercase()))
            }
            ["click", node, url] if is_url(url) => Some(format!("click {node} \"{url}\"")),
            ["click", node, "href", url] if is_url(url) => Some(format!("click {node} href \"{url}\"")),
            ["class", a, b, rest @ ..]
                if rest.chunks(3).all(|three| matches!(three, ["class", _, _])) && !rest.is_empty() =>
            {
                let more = rest
                    .chunks(3)
                    .map(|three| format!("\n{}{}", line.indent(), three.join(" ")))
                    .collect::<String>();
                Some(format!("class {a} {b}{more}")).filter(|good| document.spend(good.len()))
            }
            [note, ..] if note.eq_ignore_ascii_case("note") => self::note(content).map(|(node, text)| {
                notes += 1;
                let text = unquoted_label::quoted(text).unwrap_or_else(|| format!("\"{text}\""));
                format!("{node} -.- note{notes}[{text}]")
            }),
            _ => None,
        };
        if let Some(good) = good {
            let first = good.lines().next().unwrap_or_default().to_owned();
            hits.push(Hit::replace(
                start..start + content.len(),
                format!("In a flowchart this is `{first}`."),
                good,
            ));
        }
    }
    hits
}

/// The node and the text of `note right of A: text`.
fn note(content: &str) -> Option<(&str, &str)> {
    let (head, text) = content.split_once(':')?;
    let mut words = head.split_whitespace().rev();
    let node = words.next()?;
    let side = words.next()?.to_ascii_lowercase();
    let text = text.trim().trim_matches('"');
    (matches!(side.as_str(), "of" | "over" | "for") && !text.is_empty()).then_some((node, text))
}

fn is_url(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn statements_are_made_a_flowcharts() {
        check_fix(
            "flowchart TD\n  subgraph S\n    direction: lr\n    A --> B\n  end\n",
            "flowchart TD\n  subgraph S\n    direction LR\n    A --> B\n  end\n",
        );
        check_fix(
            "flowchart TD\n  A --> B\n  classDef x fill:#fff\n  class A x class B x\n",
            "flowchart TD\n  A --> B\n  classDef x fill:#fff\n  class A x\n  class B x\n",
        );
    }
}
