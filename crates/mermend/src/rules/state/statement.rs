//! STATE001: statements that are nearly one.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// Several transitions in a chain, notes without a colon, and notes that stand `over` a state.
    ///
    /// ## Why it breaks
    /// A transition has one arrow. A note stands left or right of a state, with its text behind a colon.
    ///
    /// ## Example
    /// ```text
    /// stateDiagram-v2
    ///   New --> Paid --> Sent
    ///   note right of Paid by card
    /// ```
    /// becomes
    /// ```mermaid
    /// stateDiagram-v2
    ///   New --> Paid
    ///   Paid --> Sent
    ///   note right of Paid : by card
    /// ```
    ///
    /// ## Fix
    /// Write each transition on its own line, and `note right of Paid : text`.
    "STATE001", "state-statement", FixClass::Safe, find, grammar: &["over"]
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("state") {
        return Vec::new();
    }
    let lines: Vec<_> = document.body().collect();
    // A note without a text on its line goes up to `end note`.
    let multi = lines.iter().any(|line| line.content().1 == "end note");
    let mut hits = Vec::new();
    for line in &lines {
        let (start, content) = line.content();
        let lower = content.to_ascii_lowercase();
        let good =
            if lower.starts_with("note ") { note(content, multi) } else { chain(content, line.indent()) };
        if let Some(good) = good.filter(|good| good != content) {
            let first = good.lines().next().unwrap_or_default().to_owned();
            hits.push(Hit::replace(
                start..start + content.len(),
                format!("In a state diagram this is `{first}`."),
                good,
            ));
        }
    }
    hits
}

fn note(content: &str, multi: bool) -> Option<String> {
    let mut words = content.splitn(3, char::is_whitespace).skip(1);
    let side = words.next()?.to_ascii_lowercase();
    let rest = words.next()?.trim();
    let rest = rest.strip_prefix("of ").unwrap_or(rest).trim();
    let side = if side == "over" { "right" } else { side.as_str() };
    if !matches!(side, "left" | "right") {
        return None;
    }
    let (state, text) = rest.split_once([' ', ':']).unwrap_or((rest, ""));
    let text = text.trim_start_matches([' ', ':']).trim();
    (!text.is_empty() && !multi || content.contains(':')).then(|| format!("note {side} of {state} : {text}"))
}

fn chain(content: &str, indent: &str) -> Option<String> {
    let (head, label) =
        content.split_once(':').map_or((content, None), |(head, label)| (head, Some(label.trim())));
    let states: Vec<&str> = head.split("-->").map(str::trim).collect();
    if states.len() < 3 || states.iter().any(|state| state.is_empty() || state.contains(char::is_whitespace))
    {
        return None;
    }
    // The indent is written again for each transition; `Line::indent` bounds it.
    let mut lines: Vec<String> =
        states.windows(2).map(|pair| format!("{} --> {}", pair[0], pair[1])).collect();
    if let (Some(label), Some(last)) = (label, lines.last_mut()) {
        last.push_str(" : ");
        last.push_str(label);
    }
    Some(lines.join(&format!("\n{indent}")))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn statements_are_made_mermaids() {
        check_fix(
            "stateDiagram-v2\n  A --> B\n  note over A : busy\n",
            "stateDiagram-v2\n  A --> B\n  note right of A : busy\n",
        );
    }
}
