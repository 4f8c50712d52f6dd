//! Texts with diagrams in them: Markdown and MDX, and the sorts of their lines.
//!
//! The only reader of Markdown. `blocks.rs` finds the blocks, `edit.rs` writes other code into them.

mod block;
mod blocks;
mod cursor;
mod edit;
mod element;

use std::path::Path;

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    document::Document,
};

pub use block::{Block, BlockProblem};
pub use edit::replace_diagrams;

/// What a text with diagrams is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// One diagram and nothing else.
    Mermaid,
    Markdown,
    /// Markdown with JSX, in which code is never made by indentation.
    Mdx,
}

impl TextFormat {
    /// The format that the extension of a file says.
    pub fn from_path(path: &Path) -> Option<TextFormat> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "mmd" | "mermaid" => Some(TextFormat::Mermaid),
            "md" | "markdown" | "mdown" | "mkd" | "qmd" | "rmd" => Some(TextFormat::Markdown),
            "mdx" => Some(TextFormat::Mdx),
            _ => None,
        }
    }

    /// The format of a text without a name. Without a diagram of its own, a text is only Markdown if it has a heading
    /// and no line of it begins a diagram: a diagram with other faults must not pass as prose.
    pub fn detect(text: &str) -> TextFormat {
        let deadline = Deadline::none();
        let begins_diagram = |line: &str| Document::new(line, &deadline).kind.is_some();
        let header = Document::new(text, &deadline).header().map(|line| line.text);
        let has_diagram = || diagrams(text, TextFormat::Markdown).iter().any(Block::is_mermaid);
        let is_prose = || {
            let begins = |line| matches!(line, MarkdownLine::Text(line) if begins_diagram(line));
            markdown_lines(text).any(|line| line == MarkdownLine::Heading)
                && !markdown_lines(text).any(begins)
        };
        match header.is_some_and(|header| !begins_diagram(header)) && (has_diagram() || is_prose()) {
            true => TextFormat::Markdown,
            false => TextFormat::Mermaid,
        }
    }
}

/// Every diagram of a text, from first to last, also those that cannot be read.
pub fn diagrams(text: &str, format: TextFormat) -> Vec<Block> {
    find_diagrams(text, format, &Deadline::none())
}

/// [`diagrams`] with a time limit.
///
/// # Errors
/// When the deadline is exceeded.
pub fn diagrams_within(
    text: &str,
    format: TextFormat,
    deadline: &Deadline,
) -> Result<Vec<Block>, DeadlineExceeded> {
    if deadline.exceeded() {
        return Err(DeadlineExceeded);
    }
    deadline.spend(text.len())?;
    Ok(find_diagrams(text, format, deadline))
}

fn find_diagrams(text: &str, format: TextFormat, deadline: &Deadline) -> Vec<Block> {
    let dialect = match format {
        TextFormat::Mermaid => return vec![Block::from_whole(text)],
        TextFormat::Markdown => blocks::Dialect::CommonMark,
        TextFormat::Mdx => blocks::Dialect::Mdx,
    };
    let mut blocks = blocks::blocks(text, dialect, deadline);
    blocks.retain(|block| block.is_mermaid() || block.problem().is_some());
    blocks
}

/// Every block of an answer of a model or of a document, whatever its language.
pub(crate) fn fences(text: &str, deadline: &Deadline) -> Vec<Block> {
    blocks::blocks(text, blocks::Dialect::Tolerant, deadline)
}

/// A line of a Markdown text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkdownLine<'a> {
    /// A fence, a comment or an element with a diagram, its marks included.
    Code,
    Heading,
    /// A thematic break, or the underline of a heading.
    Rule,
    /// The first line of a list item, without its marks.
    Item(&'a str),
    /// Any other line, trimmed and without quote mark; empty between paragraphs.
    Text(&'a str),
}

/// The lines of a Markdown text.
pub fn markdown_lines(text: &str) -> impl Iterator<Item = MarkdownLine<'_>> {
    let mut blocks =
        blocks::blocks(text, blocks::Dialect::Tolerant, &Deadline::none()).into_iter().peekable();
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let at = start;
        start += line.len();
        while blocks.next_if(|block| block.outer_end <= at).is_some() {}
        let code = blocks.peek().is_some_and(|block| block.opening.start < start);
        if code { MarkdownLine::Code } else { sort_of(line.trim()) }
    })
}

fn sort_of(line: &str) -> MarkdownLine<'_> {
    let is_rule = |mark: char| line.len() >= 3 && line.chars().all(|c| c == mark);
    if line.starts_with('#') {
        MarkdownLine::Heading
    } else if ['-', '*', '_', '='].into_iter().any(is_rule) {
        MarkdownLine::Rule
    } else if let Some(item) = item(line) {
        let boxes = ["[ ] ", "[x] ", "[X] "];
        MarkdownLine::Item(boxes.iter().find_map(|mark| item.strip_prefix(mark)).unwrap_or(item))
    } else {
        MarkdownLine::Text(line.trim_start_matches("> "))
    }
}

/// The text behind the mark of a list item.
fn item(line: &str) -> Option<&str> {
    let text = &line[blocks::list_mark(line)?..];
    (!text.is_empty()).then(|| text.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_outside_of_blocks_have_sorts() {
        use MarkdownLine::{Code, Heading, Item, Rule, Text};
        for (text, want) in [
            ("# A\n\nb\n===\n", &[Heading, Text(""), Text("b"), Rule][..]),
            ("- a\n  b\n+ [x] c\n10) d\n", &[Item("a"), Text("b"), Item("c"), Item("d")]),
            (
                "-5\n2024 was\n1234567890. x\n> q",
                &[Text("-5"), Text("2024 was"), Text("1234567890. x"), Text("q")],
            ),
            ("````\n```\n- a\n````\r\n- b", &[Code, Code, Code, Code, Item("b")]),
            ("- ```js\n  x\n  ```\nb", &[Code, Code, Code, Text("b")]),
            ("a ```b```\n```c```\n~~~\n", &[Text("a ```b```"), Text("```c```"), Code]),
            ("a\n<!-- b\nc -->\nd\n", &[Text("a"), Code, Code, Text("d")]),
        ] {
            assert_eq!(markdown_lines(text).collect::<Vec<_>>(), want, "{text:?}");
        }
    }
}
