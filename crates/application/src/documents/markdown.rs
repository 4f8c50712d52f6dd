//! Markdown: list items and paragraphs are requirements; headings, code and rules are not.

use super::{Error, text::paragraphs};

pub(super) fn read(content: &str) -> Result<Vec<String>, Error> {
    let mut with_fence = false;
    let mut lines: Vec<String> = Vec::new();
    for line in content.lines() {
        let bare = line.trim();
        if bare.starts_with("```") || bare.starts_with("~~~") {
            with_fence = !with_fence;
            lines.push(String::new());
            continue;
        }
        let rule =
            bare.len() >= 3 && ["-", "*", "_", "="].iter().any(|mark| bare.replace(mark, "").is_empty());
        if with_fence || bare.starts_with('#') || rule {
            lines.push(String::new());
            continue;
        }
        match item(bare) {
            // An item is a paragraph of its own.
            Some(text) => lines.extend([String::new(), text.to_owned()]),
            None => lines.push(bare.trim_start_matches("> ").to_owned()),
        }
    }
    Ok(paragraphs(lines.iter().map(String::as_str)))
}

/// Text of a list item, without its marker.
fn item(line: &str) -> Option<&str> {
    let after = ["- ", "* ", "+ "].iter().find_map(|mark| line.strip_prefix(mark));
    let after = after.or_else(|| {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        (1..=9)
            .contains(&digits)
            .then(|| &line[digits..])
            .and_then(|rest| rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")))
    })?;
    let after = after.trim_start();
    Some(["[ ] ", "[x] ", "[X] "].iter().find_map(|mark| after.strip_prefix(mark)).unwrap_or(after))
}
