//! MMD102: the thoughts of a model before its answer.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// `<think>…</think>` and similar tags, also when one of the two marks is missing.
    ///
    /// ## Why it breaks
    /// Mermaid reads the thoughts as a diagram.
    ///
    /// ## Example
    /// ```text
    /// <think>
    /// They want the two steps.
    /// </think>
    /// flowchart TD
    ///   Ask --> Answer
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Answer
    /// ```
    ///
    /// ## Fix
    /// Take the thoughts away.
    "MMD102", "thinking", FixClass::Safe, find, unwraps: true
}

const MARKS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let lower = text.to_ascii_lowercase();
    for (open, close) in MARKS {
        let message = "The thoughts of a model stand before the diagram.";
        let (start, end) = match (lower.find(open), lower.rfind(close)) {
            (Some(start), Some(end)) if start < end => (start, end + close.len()),
            // Only the end: the beginning was part of the prompt.
            (None, Some(end)) => (0, end + close.len()),
            // Only the beginning: the thoughts go up to the line where a diagram begins.
            (Some(start), None) => match super::surrounding_prose::diagram_start(&text[start + open.len()..])
            {
                Some(length) => (start, start + open.len() + length),
                None => continue,
            },
            _ => continue,
        };
        let blank = text[end..].len() - text[end..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        // Thoughts that quote the word inside a label are part of a diagram.
        if document.kind.is_some() && start > 0 && !text[..start].trim().is_empty() {
            continue;
        }
        return vec![Hit::new(start..end, message, vec![Edit::replace(start, end + blank, "")])];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn thoughts_go() {
        check_rule("MMD102", "<think>x</think>\npie\n");
        check_fix("<think>They want\na pie</think>\npie\n  \"a\" : 1\n", "pie\n  \"a\" : 1\n");
        check_fix("flow it is.\n</think>\n\nflowchart TD\n A --> B", "flowchart TD\n A --> B");
        check_fix("<THINK>A flow.\nflowchart TD\n A --> B", "flowchart TD\n A --> B");
    }
}
