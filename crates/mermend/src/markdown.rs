//! Markdown and MDX, line by line: fences, and the sorts of the lines outside of them.
//!
//! The only reader of Markdown. Fences are of backticks or tildes of any length, indented in lists, inside quotes, or
//! `::: mermaid` blocks of Azure DevOps. `pulldown-cmark` does not fit: to it `:::` is a paragraph, and a fence below a
//! JSX tag is HTML.

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    finding::Finding,
    text::LineIndex,
};

/// One fence. Offsets are UTF-8 bytes of the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// First byte of what stands inside.
    pub start: usize,
    /// One past the last byte of what stands inside, with its last line break.
    pub end: usize,
    /// 1-based line of `start`.
    pub line: usize,
    /// What follows the opening marks, for example `mermaid`.
    pub info: String,
    /// Whether a closing mark was found.
    pub closed: bool,
    /// First byte of the line of the opening mark.
    pub(crate) outer_start: usize,
    /// One past the last byte of the closing mark.
    pub(crate) outer_end: usize,
}

impl Fence {
    /// What stands inside, as it is checked.
    pub fn code<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// The first word of the info string says that it is Mermaid.
    pub fn is_mermaid(&self) -> bool {
        let word = self.info.trim_start_matches(['{', '.', ' ']);
        let word = word.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        word.eq_ignore_ascii_case("mermaid") || word.eq_ignore_ascii_case("mmd")
    }
}

/// The lines of a Markdown text, to move findings of its diagrams to where they are in the whole text.
pub struct MarkdownIndex<'a> {
    lines: LineIndex<'a>,
}

impl<'a> MarkdownIndex<'a> {
    /// Reads the text once, for all of its fences.
    pub fn new(text: &'a str) -> Self {
        MarkdownIndex { lines: LineIndex::within(text, &Deadline::none()) }
    }

    /// A finding of the content of `fence`, moved to where it is in the whole text.
    pub fn place(&self, fence: &Fence, finding: Finding) -> Finding {
        let (start, end) = (finding.span.start + fence.start, finding.span.end + fence.start);
        let span = self.lines.location(start, end);
        let fix = finding.fix.map(|mut fix| {
            for edit in &mut fix.edits {
                edit.start += fence.start;
                edit.end += fence.start;
            }
            fix
        });
        Finding { span, fix, ..finding }
    }
}

/// Every Mermaid fence of a Markdown text, from first to last.
pub fn diagrams_in_markdown(text: &str) -> Vec<Fence> {
    fences(text).into_iter().filter(Fence::is_mermaid).collect()
}

/// [`diagrams_in_markdown`] with a time limit.
///
/// # Errors
/// When the deadline is exceeded.
pub fn diagrams_in_markdown_within(text: &str, deadline: &Deadline) -> Result<Vec<Fence>, DeadlineExceeded> {
    if deadline.exceeded() {
        return Err(DeadlineExceeded);
    }
    deadline.spend(text.len())?;
    Ok(diagrams_in_markdown(text))
}

/// Every fence, whatever its language. A fence that is never closed goes to the end of the text, as in CommonMark.
pub(crate) fn fences(text: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<(Fence, char, usize)> = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (start, next) = (at, at + line.len());
        at = next;
        let content = line.trim_end_matches(['\n', '\r']);
        if let Some((mut fence, mark, length)) = open.take() {
            if closes(content, mark, length) {
                fence.end = start;
                fence.closed = true;
                fence.outer_end = start + content.len();
                found.push(fence);
            } else {
                open = Some((fence, mark, length));
            }
        } else if let Some((mark, length, info)) = opens(content) {
            let fence = Fence {
                start: next,
                end: text.len(),
                line: number + 2,
                info: info.to_owned(),
                closed: false,
                outer_start: start,
                outer_end: text.len(),
            };
            open = Some((fence, mark, length));
        }
    }
    found.extend(open.map(|(fence, ..)| fence));
    found
}

/// A line of a Markdown text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkdownLine<'a> {
    /// A fence, its marks included.
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
    let mut fences = fences(text).into_iter().peekable();
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let at = start;
        start += line.len();
        while fences.next_if(|fence| fence.outer_end <= at).is_some() {}
        let fenced = fences.peek().is_some_and(|fence| fence.outer_start <= at);
        if fenced { MarkdownLine::Code } else { sort_of(line.trim()) }
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
    let bullet = ["- ", "* ", "+ "].iter().find_map(|mark| line.strip_prefix(mark));
    let number = || {
        let behind = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = line.len() - behind.len();
        let text = behind.strip_prefix(". ").or_else(|| behind.strip_prefix(") "))?;
        (1..=9).contains(&digits).then_some(text)
    };
    bullet.or_else(number).map(str::trim_start)
}

/// The line without the marks of lists and quotes that a fence may stand in.
fn bare(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some(next) = rest.strip_prefix('>').or_else(|| item(rest)) {
        rest = next.trim_start();
    }
    rest
}

fn opens(line: &str) -> Option<(char, usize, &str)> {
    let line = bare(line);
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~' | ':'))?;
    let info = line.trim_start_matches(mark);
    let length = line.len() - info.len();
    let info = info.trim();
    // A backtick in the info string makes it inline code; `:::` is a fence only for a diagram.
    let ok = match mark {
        '`' => !info.contains('`'),
        ':' => info.to_ascii_lowercase().starts_with("mermaid"),
        _ => true,
    };
    (length >= 3 && ok).then_some((mark, length, info))
}

fn closes(line: &str, mark: char, length: usize) -> bool {
    let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
    line.len() >= length && line.chars().all(|c| c == mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::verdicts::SYNTAX_ERROR;

    fn codes(text: &str) -> Vec<&str> {
        diagrams_in_markdown(text).iter().map(|fence| fence.code(text)).collect()
    }

    #[test]
    fn fences_of_all_sorts() {
        assert_eq!(codes("a\n```mermaid\npie\n```\nb\n~~~ mermaid\ngantt\n~~~\n"), ["pie\n", "gantt\n"]);
        assert_eq!(codes("````mermaid\n```\n````"), ["```\n"]);
        assert_eq!(codes("- x\n\n  ```mermaid {theme: dark}\n  pie\n  ```\n"), ["  pie\n"]);
        assert_eq!(codes("1. ```mermaid\n   pie\n   ```\n"), ["   pie\n"]);
        assert_eq!(codes("::: mermaid\npie\n:::\n"), ["pie\n"]);
        assert_eq!(codes("```{.mermaid}\npie\n```"), ["pie\n"]);
        assert_eq!(codes("````markdown\n```mermaid\npie\n```\n````"), Vec::<&str>::new());
        assert_eq!(codes("```js\nx\n```\n```mermaid"), [""]);
        assert_eq!(codes("```mermaid\r\npie\r\n```\r\n"), ["pie\r\n"]);
        assert_eq!(codes("```mermaid\npie"), ["pie"]);
    }

    #[test]
    fn lines_outside_of_fences_have_sorts() {
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
        ] {
            assert_eq!(markdown_lines(text).collect::<Vec<_>>(), want, "{text:?}");
        }
    }

    #[test]
    fn findings_are_placed_in_the_whole_text() {
        let text = "# Überschrift\n```mermaid\nflowchart TD\n  A[run()]\n```\n";
        let fence = &diagrams_in_markdown(text)[0];
        assert_eq!(fence.line, 3);
        let code = fence.code(text);
        let inner = LineIndex::new(code).location(code.find("run").unwrap(), code.find("]").unwrap());
        let finding = Finding::new(&SYNTAX_ERROR, "rules", inner, String::new());
        let placed = MarkdownIndex::new(text).place(fence, finding);
        assert_eq!(&text[placed.span.start..placed.span.end], "run()");
        assert_eq!((placed.span.line, placed.span.column), (4, 5));
    }
}
