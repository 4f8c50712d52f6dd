//! Markdown: each item of a list is a requirement, and each paragraph; headings, code and rules are none.

use mermend::MarkdownLine;

use super::{Error, text::paragraphs};

pub(super) fn read(content: &str) -> Result<Vec<String>, Error> {
    let mut lines: Vec<&str> = Vec::new();
    for line in mermend::markdown_lines(content) {
        match line {
            MarkdownLine::Code | MarkdownLine::Heading | MarkdownLine::Rule => lines.push(""),
            // A paragraph of its own, whatever precedes it.
            MarkdownLine::Item(text) => lines.extend(["", text]),
            MarkdownLine::Text(text) => lines.push(text),
        }
    }
    Ok(paragraphs(lines.into_iter()))
}
