//! A text as the rules see it: lines with their offsets, the header, the kind, and what must not be touched.
//!
//! It never parses a diagram and never rejects anything. Front matter, directives, comments and accessibility texts
//! are `closed`: no rule may edit them, because Mermaid gives them another meaning than the diagram. Read
//! `rules/mod.rs` next.

use std::{cell::OnceCell, ops::Range};

use crate::{
    deadline::Deadline,
    flowchart_statement::Statement,
    kinds::{self, Kind},
};

/// A text on its way through the rules.
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    deadline: &'a Deadline,
    /// Every line, also the closed ones.
    lines: Vec<Line<'a>>,
    /// How many closed lines stand before each line.
    closed_before: Vec<usize>,
    /// The statements of a flowchart, once a rule has asked for them.
    flowchart: OnceCell<Vec<Statement>>,
    /// Whether the lines are of another kind than the header, once a rule has asked.
    contradicts: OnceCell<bool>,
    /// Index into `lines` of the line that names the kind.
    header: Option<usize>,
    /// The kind that the header names, whatever its case.
    pub(crate) kind: Option<&'static Kind>,
}

/// One line without its line break.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Offset of the first byte.
    pub(crate) start: usize,
    pub(crate) text: &'a str,
    /// Front matter, a directive, a comment or an accessibility text.
    pub(crate) closed: bool,
}

impl<'a> Line<'a> {
    /// One past the last byte, without the line break.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The line without the spaces around it, and where that begins.
    pub(crate) fn content(&self) -> (usize, &'a str) {
        let trimmed = self.text.trim_start();
        (self.start + self.text.len() - trimmed.len(), trimmed.trim_end())
    }

    /// The spaces that the line begins with, as far as a repair repeats them.
    pub(crate) fn indent(&self) -> &'a str {
        const MOST: usize = 100;
        let indent = &self.text[..self.text.len() - self.text.trim_start().len()];
        &indent[..indent.floor_char_boundary(MOST)]
    }

    /// The range of the content.
    pub(crate) fn range(&self) -> Range<usize> {
        let (start, content) = self.content();
        start..start + content.len()
    }
}

impl<'a> Document<'a> {
    /// Reads the lines of `text`. The rules that look at them record their work at `deadline`.
    pub(crate) fn new(text: &'a str, deadline: &'a Deadline) -> Self {
        deadline.record(text.len());
        let mut lines = split(text);
        close(&mut lines);
        let header = lines.iter().position(|line| !line.closed && !line.text.trim().is_empty());
        let kind = header.and_then(|at| kind_of(lines[at].text));
        // Two diagrams in one text: no rule can know which lines belong to which.
        let kind = kind.filter(|_| {
            !lines
                .iter()
                .skip(header.map_or(0, |at| at + 1))
                .any(|line| !line.closed && second_header(line.text))
        });
        let closed = |count: &mut usize, line: &Line<'_>| {
            let before = *count;
            *count += usize::from(line.closed);
            Some(before)
        };
        let mut closed_before: Vec<usize> = lines.iter().scan(0, closed).collect();
        closed_before.push(lines.iter().filter(|line| line.closed).count());
        Document {
            text,
            deadline,
            lines,
            closed_before,
            flowchart: OnceCell::new(),
            contradicts: OnceCell::new(),
            header,
            kind,
        }
    }

    /// Records work in proportion to `steps`. `false` when the deadline is exceeded: a rule then returns at once, and
    /// what it has found is discarded.
    #[must_use]
    pub(crate) fn spend(&self, steps: usize) -> bool {
        self.deadline.spend(steps).is_ok()
    }

    /// The deadline of the rules that look at this document.
    pub(crate) fn deadline(&self) -> &'a Deadline {
        self.deadline
    }

    /// The statements of a flowchart; they are read once for all rules.
    pub(crate) fn flowchart_statements(&self, read: impl FnOnce(&Self) -> Vec<Statement>) -> &[Statement] {
        self.flowchart.get_or_init(|| read(self))
    }

    /// Whether the lines are of another kind than the header; they are looked at once for all rules.
    pub(crate) fn contradicts(&self, read: impl FnOnce(&Self) -> bool) -> bool {
        *self.contradicts.get_or_init(|| read(self))
    }

    /// Whether the header names the kind `id`.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.kind.is_some_and(|kind| kind.id == id)
    }

    /// Every line of the text, also the closed ones.
    pub(crate) fn lines(&self) -> &[Line<'a>] {
        &self.lines
    }

    /// The line that names the kind, or stands where it should.
    pub(crate) fn header(&self) -> Option<Line<'a>> {
        self.header.map(|at| self.lines[at])
    }

    /// The open lines after the header that are not empty. Ends early when the deadline is exceeded.
    pub(crate) fn body(&self) -> impl Iterator<Item = Line<'a>> + '_ {
        let first = self.header.map_or(self.lines.len(), |at| at + 1);
        self.lines[first..]
            .iter()
            .take_while(|line| self.spend(line.text.len() + 1))
            .filter(|line| !line.closed && !line.text.trim().is_empty())
            .copied()
    }

    /// The open lines of the whole text. Ends early when the deadline is exceeded.
    pub(crate) fn open_lines(&self) -> impl Iterator<Item = Line<'a>> + '_ {
        self.lines
            .iter()
            .take_while(|line| self.spend(line.text.len() + 1))
            .filter(|line| !line.closed)
            .copied()
    }

    /// Whether some byte of `range` belongs to a closed line.
    pub(crate) fn is_closed(&self, range: &Range<usize>) -> bool {
        let from = self.lines.partition_point(|line| line.end() <= range.start);
        let to = self.lines.partition_point(|line| line.start < range.end);
        let before = |at: usize| self.closed_before.get(at).copied().unwrap_or_default();
        from < to && before(to) > before(from)
    }

    /// Where the line break after `line` ends.
    pub(crate) fn after_break(&self, line: &Line<'_>) -> usize {
        let rest = &self.text[line.end()..];
        line.end() + rest.find('\n').map_or(rest.len(), |at| at + 1)
    }
}

/// The kind that a header line names.
fn kind_of(line: &str) -> Option<&'static Kind> {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    let word = line.split_whitespace().next()?;
    match word.get(..13).is_some_and(|head| head.eq_ignore_ascii_case("flowchart-elk")) {
        true => kinds::find("flowchart"),
        false => kinds::find_by_header(line),
    }
}

/// A line that can only be the header of another diagram.
fn second_header(line: &str) -> bool {
    const HEADERS: [&str; 7] = [
        "sequenceDiagram",
        "classDiagram",
        "stateDiagram-v2",
        "stateDiagram",
        "erDiagram",
        "requirementDiagram",
        "gitGraph",
    ];
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(word), None, _) => HEADERS.contains(&word),
        (Some("flowchart" | "graph"), Some(direction), None) => {
            ["TD", "TB", "LR", "RL", "BT"].contains(&direction)
        }
        _ => false,
    }
}

fn split(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut lines = Vec::new();
    for piece in text.split_inclusive('\n') {
        let content = piece.trim_end_matches('\n').trim_end_matches('\r');
        lines.push(Line { start, text: content, closed: false });
        start += piece.len();
    }
    lines
}

/// Marks what the rules must leave alone.
fn close(lines: &mut [Line<'_>]) {
    let mut at = lines.iter().position(|line| !line.text.trim().is_empty()).unwrap_or(lines.len());
    if lines.get(at).is_some_and(|line| line.text.trim() == "---")
        && let Some(length) = lines[at + 1..].iter().position(|line| line.text.trim() == "---")
    {
        let end = at + 2 + length;
        lines[at..end].iter_mut().for_each(|line| line.closed = true);
        at = end;
    }
    let mut until: Option<&str> = None;
    for line in &mut lines[at..] {
        let content = line.text.trim();
        if let Some(end) = until {
            line.closed = true;
            until = until.filter(|_| !content.contains(end));
            continue;
        }
        if content.starts_with("%%{") {
            line.closed = true;
            until = Some("}%%").filter(|end| !content.contains(end));
        } else if let Some(rest) = content.strip_prefix("accDescr").map(str::trim_start)
            && rest.starts_with('{')
        {
            line.closed = true;
            until = Some("}").filter(|end| !content.contains(end));
        } else {
            line.closed = content.starts_with("%%")
                || content.starts_with("accTitle")
                || content.starts_with("accDescr:");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_comments_are_closed() {
        let deadline = Deadline::none();
        let text = "---\ntitle: X\n---\n%%{init: {\n}}%%\nflowchart TD\n  %% note\n  A --> B\r\n";
        let document = Document::new(text, &deadline);
        let body: Vec<_> = document.body().map(|line| line.text).collect();
        assert_eq!((document.kind.map(|kind| kind.id), body), (Some("flowchart"), vec!["  A --> B"]));
        assert!(document.is_closed(&(0..3)));
        let comment = text.find("note").unwrap();
        assert!(document.is_closed(&(comment..comment + 1)));
        let arrow = text.find("-->").unwrap();
        assert!(!document.is_closed(&(arrow..arrow + 3)));
    }

    #[test]
    fn a_directive_that_never_ends_closes_the_rest() {
        let deadline = Deadline::none();
        let document = Document::new("flowchart TD\n%%{init\nA --> B", &deadline);
        assert_eq!(document.body().count(), 0);
    }
}
