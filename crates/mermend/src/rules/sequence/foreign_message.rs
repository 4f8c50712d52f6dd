//! SEQ004: messages in the notation of PlantUML and others.

use super::lines::{self, Body};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `return text`, arrows to the left, a message to several receivers, and a message whose text goes on in the next
    /// line.
    ///
    /// ## Why it breaks
    /// A message is one line, goes from left to right and has one receiver.
    ///
    /// ## Example
    /// ```text
    /// sequenceDiagram
    ///   Ann->>Bob: ask
    ///   return answer
    ///   Ann <- Bob: later
    /// ```
    /// becomes
    /// ```mermaid
    /// sequenceDiagram
    ///   Ann->>Bob: ask
    ///   Bob-->>Ann: answer
    ///   Bob-->>Ann: later
    /// ```
    ///
    /// ## Fix
    /// Write `Bob-->>Ann: answer`.
    "SEQ004", "foreign-message", FixClass::Safe, find, grammar: &["return"]
}

/// The most bytes of the messages that one message to several receivers becomes.
const MAX_MESSAGES: usize = 10_000;

const LEFT: [(&str, &str); 4] = [("<<--", "-->>"), ("<<-", "->>"), ("<--", "-->>"), ("<-", "-->>")];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits: Vec<Hit> = Vec::new();
    let mut last: Option<(&str, &str)> = None;
    // Where the text of the message of the line before ends, and how deep that line stands.
    let mut before: Option<(usize, usize)> = None;
    for statement in lines::statements(document) {
        let (start, content) = statement.line.content();
        let end = start + content.len();
        let depth = statement.line.indent().len();
        let previous = before.take();
        let head = &content[..content.find(':').unwrap_or(content.len())];
        let left = LEFT.iter().find_map(|(mark, good)| head.find(mark).map(|at| (at, *mark, *good)));
        if let Some((at, mark, good)) =
            left.filter(|(at, mark, _)| !head[at + mark.len()..].starts_with(['-', '>']))
        {
            let (to, from) = (head[..at].trim(), head[at + mark.len()..].trim());
            if !to.is_empty() && !from.is_empty() && head.len() < content.len() {
                let message = "An arrow to the left; a message goes from its sender to its receiver.";
                hits.push(Hit::replace(
                    start..end,
                    message,
                    format!("{from}{good}{to}:{}", &content[head.len() + 1..]),
                ));
            }
            continue;
        }
        match &statement.body {
            Body::Message { from, arrow, to, text: said } => {
                let names = &text[to.clone()];
                let from_and_arrow = &text[from.start..arrow.end];
                let rest = &text[to.end..end];
                // Many receivers of a long text would make a text that no diagram has room for.
                let count = names.matches(',').count();
                let fits = count * (from_and_arrow.len() + rest.len()) <= MAX_MESSAGES;
                if count > 0 && said.is_some() && fits && document.spend(content.len()) {
                    let all: Vec<String> = names
                        .split(',')
                        .map(|name| format!("{from_and_arrow}{}{rest}", name.trim()))
                        .collect();
                    let good = all.join(&format!("\n{}", statement.line.indent()));
                    hits.push(Hit::replace(start..end, "A message has one receiver.", good));
                }
                last = Some((&text[from.clone()], names));
                before = said.as_ref().map(|_| (end, depth));
            }
            Body::Note { text: Some(_), .. } => before = Some((end, depth)),
            Body::Other => {
                let returned = content.strip_prefix("return ").map(str::trim).filter(|text| !text.is_empty());
                if let (Some(said), Some((from, to))) = (returned, last) {
                    hits.push(Hit::replace(
                        start..end,
                        "There is no `return`; an answer is a message.",
                        format!("{to}-->>{from}: {said}"),
                    ));
                } else if let Some((done, above)) =
                    previous.filter(|(_, above)| depth > *above && is_text(content))
                {
                    let hit = Hit::replace(
                        done..end,
                        "The text of a message goes on here.",
                        format!("<br/>{content}"),
                    );
                    hits.push(Hit { start, ..hit });
                    before = Some((end, above));
                }
            }
            _ => {}
        }
    }
    hits
}

/// Words, and none of the grammar.
fn is_text(content: &str) -> bool {
    let first = content.split_whitespace().next().unwrap_or_default();
    let keyword = ["end", "autonumber", "link", "links", "properties", "details", "create", "box", "}", "{"]
        .contains(&first);
    !keyword && first.starts_with(char::is_alphanumeric) && !content.contains("->") && !content.contains(':')
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn messages_are_made_mermaids() {
        check_fix("sequenceDiagram\n  A->>B, C: hi\n", "sequenceDiagram\n  A->>B: hi\n  A->>C: hi\n");
        check_fix(
            "sequenceDiagram\n  A->>B: an order\n    with two items\n    plus a gift\n",
            "sequenceDiagram\n  A->>B: an order<br/>with two items<br/>plus a gift\n",
        );
    }
}
