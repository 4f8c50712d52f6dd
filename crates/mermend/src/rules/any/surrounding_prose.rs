//! MMD103: sentences around a diagram.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    kinds,
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// Sentences before the header of a diagram, or after its end.
    ///
    /// ## Why it breaks
    /// Mermaid takes the first word for the kind of diagram, and every later line for a statement.
    ///
    /// ## Example
    /// ```text
    /// Sure, here is the flow:
    ///
    /// flowchart TD
    ///   Ask --> Answer
    ///
    /// It shows how a question is answered.
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Answer
    /// ```
    ///
    /// ## Fix
    /// Take the sentences away, or make them comments with `%%`.
    "MMD103", "surrounding-prose", FixClass::Safe, find, unwraps: true
}

/// Kinds of which no statement looks like a sentence.
const STRICT: [&str; 7] = ["flowchart", "class", "sequence", "state", "er", "git", "c4"];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    if document.kind.is_none()
        && let Some(start) = diagram_start(text)
        && !text[..start].trim().is_empty()
        && !text[..start].lines().any(is_setting)
    {
        let message = "Text stands before the diagram.";
        hits.push(Hit::new(0..text[..start].trim_end().len(), message, vec![Edit::replace(0, start, "")]));
    }
    if document.kind.is_some_and(|kind| STRICT.contains(&kind.id)) {
        hits.extend(after(document));
    }
    hits
}

/// A line of front matter whose marks are lost: it says something about the diagram.
fn is_setting(line: &str) -> bool {
    const KEYS: [&str; 7] = ["config", "title", "theme", "look", "layout", "displayMode", "themeVariables"];
    let line = line.trim();
    line == "---" || line.split_once(':').is_some_and(|(key, _)| KEYS.contains(&key.trim()))
}

/// Where the first line begins that can only be the header of a diagram, with the settings directly before it.
pub(super) fn diagram_start(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut settings = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if is_header(content) {
            return Some(settings.unwrap_or(at));
        }
        if content.starts_with("%%") {
            settings = settings.or(Some(at));
        } else if !content.is_empty() {
            settings = None;
        }
        at += line.len();
    }
    None
}

/// A line that names a kind and has nothing else on it but what belongs to a header.
fn is_header(line: &str) -> bool {
    let line = line.trim_end_matches(';').trim_end();
    let mut words = line.split_whitespace();
    let Some(word) = words.next() else { return false };
    let Some(kind) = kinds::find_by_header(word) else {
        return false;
    };
    let rest: Vec<&str> = words.collect();
    match (kind.id, rest.as_slice()) {
        ("flowchart", [direction]) => {
            ["TD", "TB", "LR", "RL", "BT"].iter().any(|d| d.eq_ignore_ascii_case(direction))
        }
        // A word alone can also be a title; but then nothing that follows will be a diagram.
        (_, []) => {
            word.eq_ignore_ascii_case("flowchart")
                || word.eq_ignore_ascii_case(kind.header)
                || !word.starts_with(char::is_uppercase)
        }
        ("pie", ["title" | "showData", ..]) => true,
        ("git", [direction]) => direction.len() == 2 || direction.len() == 3,
        _ => false,
    }
}

/// The last paragraphs, if they are sentences.
fn after(document: &Document<'_>) -> Option<Hit> {
    let lines = document.lines();
    let header = document.header()?;
    let mut cut = None;
    for line in lines.iter().rev().take_while(|line| line.start > header.start) {
        if !document.spend(line.text.len() + 1) {
            return None;
        }
        let content = line.text.trim();
        if content.is_empty() {
            continue;
        }
        if line.closed || !is_sentence(content) {
            break;
        }
        cut = Some(line);
    }
    // Without an empty line between, it may be a part of the diagram that is only written wrongly.
    let at = lines
        .iter()
        .position(|line| line.start == cut.map_or(usize::MAX, |cut: &crate::document::Line<'_>| cut.start))?;
    let first = cut.filter(|_| lines[..at].last().is_some_and(|line| line.text.trim().is_empty()))?;
    // The line break before the first sentence stays.
    let end = document.text[..first.start].trim_end().len();
    let keep = document.text[end..].find('\n').map_or(first.start, |at| end + at + 1);
    let range = first.range().start..document.text.trim_end().len();
    Some(Hit::new(
        range,
        "Text stands after the diagram.",
        vec![Edit::replace(keep, document.text.len(), "")],
    ))
}

/// Words of prose, without the signs of statements.
pub(super) fn is_sentence(line: &str) -> bool {
    const SIGNS: [&str; 10] = ["--", "->", "==", "-.", "[", "{", "}", "<<", "~~", "\""];
    let marked = line.starts_with(['#', '*', '>'])
        || line.starts_with("- ")
        || line.starts_with(|c: char| c.is_ascii_digit());
    let plain = !SIGNS.iter().any(|sign| line.contains(sign));
    let words = line.split_whitespace().count();
    let first = line
        .trim_start_matches(['#', '*', '>', '-', ' '])
        .chars()
        .next()
        .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    let keyword = ["note ", "title ", "class ", "style ", "click ", "end"]
        .iter()
        .any(|word| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)));
    let ends = line.ends_with(['.', '!', '?', ':']);
    plain && !keyword && ((words >= 4 && first && (ends || marked)) || (marked && words >= 2 && first))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn sentences_go() {
        check_rule(
            "MMD103",
            "Here you are:\n%%^^^^^^^^^^^ Text stands before the diagram.\n\nflowchart TD\n  A --> B\n",
        );
        check_fix("Here you are:\n\nflowchart TD\n  A --> B\n", "flowchart TD\n  A --> B\n");
        check_fix(
            "sequenceDiagram\n  A->>B: hi\n\nThis shows a greeting.\n\n- A greets B twice a day\n",
            "sequenceDiagram\n  A->>B: hi\n",
        );
        check_fix(
            "# My diagram\n%%{init: {}}%%\nerDiagram\n  A ||--|| B : has\n",
            "%%{init: {}}%%\nerDiagram\n  A ||--|| B : has\n",
        );
    }
}
