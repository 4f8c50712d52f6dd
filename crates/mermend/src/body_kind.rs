//! What kind of diagram the lines below a header look like.

use crate::{document::Document, reading};

/// How many messages show that a text is a sequence diagram: one may be a line of habit.
const MESSAGES: usize = 2;

/// The kind of diagram that the lines below the header can only be, and how many of them show it; `None` if they can
/// be several.
pub(crate) fn body_kind(document: &Document<'_>) -> Option<(&'static str, usize)> {
    let mut found: Option<(&'static str, usize)> = None;
    for line in document.body() {
        let Some(kind) = shown(line.content().1) else { continue };
        match &mut found {
            None => found = Some((kind, 1)),
            Some((other, count)) if *other == kind => *count += 1,
            Some(_) => return None,
        }
    }
    found
}

/// The header names one kind and the lines below it are another: no rule can know which of the two is meant.
pub(crate) fn contradicts(document: &Document<'_>) -> bool {
    let Some(kind) = document.kind.map(|kind| kind.id) else { return false };
    // Boxes with arrows are written in diagrams of classes and states as well.
    body_kind(document).is_some_and(|(other, count)| {
        other != kind && other != "flowchart" && (other != "sequence" || count >= MESSAGES)
    })
}

fn shown(content: &str) -> Option<&'static str> {
    let open = reading::outside(content);
    let has = |signs: &[&str]| signs.iter().any(|sign| content.match_indices(sign).any(|(at, _)| open[at]));
    let word = content.split_whitespace().next().unwrap_or_default();
    let message = content.find("->>").filter(|at| open[*at]);
    if message.is_some_and(|at| content[at..].contains(':')) {
        Some("sequence")
    } else if has(&["||--", "}o--", "}|--", "|o--", "||..", "}o..", "}|..", "|o.."]) {
        Some("er")
    } else if has(&["<|--", "<|..", "..|>"])
        || (matches!(word, "class" | "namespace") && content.ends_with('{'))
    {
        Some("class")
    } else if matches!(word, "requirement" | "functionalRequirement" | "element") && content.ends_with('{') {
        Some("requirement")
    } else if content.starts_with("[*] ") || content.contains("--> [*]") {
        Some("state")
    } else if has(&["-->", "-.->", "==>"]) && has_outline(content) {
        Some("flowchart")
    } else {
        None
    }
}

/// An id with an outline around its label.
fn has_outline(content: &str) -> bool {
    let touches = |at: usize| content[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    content.match_indices(['[', '{', '(']).any(|(at, _)| touches(at))
}
