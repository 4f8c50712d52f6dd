//! Finds the blocks of a Markdown text, line by line, by the block structure of CommonMark.
//!
//! It keeps the quotes and list items that a line stands in, and looks into no paragraph. `pulldown-cmark` does not
//! fit: to it `::: mermaid` and admonitions are paragraphs, a fence below a tag is HTML, and it does not know MDX, in
//! which code is never made by indentation.

use crate::deadline::Deadline;

use super::{
    block::{Block, BlockProblem, is_mermaid},
    cursor::Cursor,
    element::Element,
};

/// More quotes and list items within each other are read as text, so that the time stays linear.
const MAX_CONTAINERS: usize = 64;
/// The indentation of the content of admonitions and footnotes.
const CONTENT_INDENT: usize = 4;

/// How Markdown is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    CommonMark,
    Mdx,
    /// As people and models write it: a fence may be indented in any way and only ends at its closing mark.
    Tolerant,
}

/// The blocks of `text`, from first to last.
pub(super) fn blocks(text: &str, dialect: Dialect, deadline: &Deadline) -> Vec<Block> {
    let mut scanner = Scanner {
        text,
        dialect,
        at: text.len() - text.trim_start_matches('\u{feff}').len(),
        containers: Vec::new(),
        paragraph: false,
        empty_item: false,
        open: None,
        hidden: None,
        found: Vec::new(),
    };
    while scanner.at < text.len() {
        let end = text[scanner.at..].find('\n').map_or(text.len(), |length| scanner.at + length + 1);
        deadline.record(end - scanner.at + scanner.containers.len());
        let start = std::mem::replace(&mut scanner.at, end);
        scanner.read_line(start, end);
        // An element may be longer than its line.
        deadline.record(scanner.at - end);
    }
    scanner.end_fence(text.len(), false);
    scanner.found.extend(scanner.hidden.map(|hidden| hidden.block));
    scanner.found
}

/// What lines stand in.
#[derive(Debug, Clone, Copy)]
enum Container {
    Quote,
    /// A list item, a footnote or an admonition, with the columns that its lines are indented by.
    Item(usize),
}

struct OpenFence {
    mark: char,
    length: usize,
    /// The columns that it is indented by.
    indent: usize,
    block: Block,
}

/// Lines that are not shown or not read as Markdown, up to one that contains one of these.
struct Hidden {
    until: &'static [&'static str],
    block: Block,
}

struct Scanner<'a> {
    text: &'a str,
    dialect: Dialect,
    /// Start of the next line.
    at: usize,
    containers: Vec<Container>,
    /// Whether the line before belongs to a paragraph.
    paragraph: bool,
    /// Whether the line before is the mark of a list item alone: a blank line then ends the item.
    empty_item: bool,
    open: Option<OpenFence>,
    hidden: Option<Hidden>,
    found: Vec<Block>,
}

impl Scanner<'_> {
    fn read_line(&mut self, start: usize, end: usize) {
        let text = self.text;
        let line = &text[start..end];
        let mut cursor = Cursor::new(line, 0);
        let matched = self.match_containers(&mut cursor);
        let all_matched = matched == self.containers.len();
        let inside = all_matched || self.dialect == Dialect::Tolerant;
        if self.open.is_some() && inside {
            return self.read_fence_line(cursor, start, end);
        }
        self.end_fence(start, false);
        if let Some(hidden) = self.hidden.take_if(|_| inside) {
            return self.read_hidden_line(hidden, line, end);
        }
        self.found.extend(self.hidden.take().map(|hidden| hidden.block));

        let opened = self.open_containers(&mut cursor, matched, all_matched);
        self.empty_item = opened && cursor.blank();
        if cursor.blank() {
            self.leave_unmatched(matched, opened);
            self.paragraph = false;
            return;
        }
        let (rest, from) = (cursor.rest(), start + cursor.rest_at());
        let continues = self.paragraph && !opened;
        if self.is_indented(&cursor) {
            // The next line of a paragraph, or indented code.
            if !continues {
                self.leave_unmatched(matched, opened);
                self.paragraph = false;
            }
            return;
        }
        let lazy = continues && !all_matched;
        if let Some((mark, length, info)) = fence_mark(rest) {
            self.leave_unmatched(matched, opened);
            self.paragraph = false;
            let block = Block::new(info, from..from + rest.len());
            self.open = Some(OpenFence { mark, length, indent: cursor.indent(usize::MAX), block });
            return;
        }
        if self.open_html(rest, from, end, matched, opened) {
            self.paragraph = false;
            return;
        }
        let title = is_heading(rest) || is_rule(rest) || (continues && all_matched && is_underline(rest));
        if title || !lazy {
            self.leave_unmatched(matched, opened);
        }
        self.paragraph = !title && !self.open_admonition(&cursor, rest);
    }

    /// Ends the containers that the line does not belong to.
    fn leave_unmatched(&mut self, matched: usize, opened: bool) {
        if !opened {
            self.containers.truncate(matched);
        }
    }

    /// Skips the marks of the containers that the line continues, and counts these.
    fn match_containers(&self, cursor: &mut Cursor<'_>) -> usize {
        let mut matched = 0;
        for (at, container) in self.containers.iter().enumerate() {
            let continues = match *container {
                Container::Quote if !self.is_indented(cursor) && cursor.rest().starts_with('>') => {
                    skip_quote_mark(cursor);
                    true
                }
                Container::Quote => false,
                Container::Item(_) if cursor.blank() => !self.empty_item || at + 1 < self.containers.len(),
                Container::Item(indent) if cursor.indent(indent) == indent => {
                    cursor.skip_blanks(indent);
                    true
                }
                Container::Item(_) => false,
            };
            if !continues {
                break;
            }
            matched += 1;
        }
        matched
    }

    /// Opens the containers that the line begins, and says whether there is one.
    fn open_containers(&mut self, cursor: &mut Cursor<'_>, matched: usize, all_matched: bool) -> bool {
        let mut opened = false;
        while !cursor.blank() && !self.is_indented(cursor) && self.containers.len() < MAX_CONTAINERS {
            let rest = cursor.rest();
            let container = if rest.starts_with('>') {
                self.leave_unmatched(matched, opened);
                skip_quote_mark(cursor);
                Container::Quote
            } else if let Some(width) = list_mark(rest).filter(|_| !is_rule(rest)) {
                let (mark, content) = rest.split_at(width);
                let begins = !content.trim().is_empty() && (width == 1 || &mark[..width - 1] == "1");
                if self.paragraph && all_matched && !opened && !begins {
                    break;
                }
                self.leave_unmatched(matched, opened);
                skip_list_mark(cursor, width)
            } else if let Some(width) = footnote_mark(rest) {
                self.leave_unmatched(matched, opened);
                cursor.skip_mark(width);
                Container::Item(CONTENT_INDENT)
            } else {
                break;
            };
            self.containers.push(container);
            opened = true;
        }
        opened
    }

    /// `!!! note`, `??? note` and `=== "Tab"` of MkDocs: their content is indented.
    fn open_admonition(&mut self, cursor: &Cursor<'_>, rest: &str) -> bool {
        let opens = ["!!! ", "??? ", "???+ ", "=== \""].iter().any(|mark| rest.starts_with(mark));
        if opens && self.containers.len() < MAX_CONTAINERS {
            self.containers.push(Container::Item(cursor.indent(usize::MAX) + CONTENT_INDENT));
        }
        opens
    }

    /// Whether the line would be indented code at `cursor`.
    fn is_indented(&self, cursor: &Cursor<'_>) -> bool {
        self.dialect == Dialect::CommonMark && cursor.indent(4) == 4
    }

    fn read_fence_line(&mut self, mut cursor: Cursor<'_>, start: usize, end: usize) {
        let Some(fence) = &mut self.open else { return };
        let rest = cursor.rest();
        let closes = rest.len() >= fence.length && rest.chars().all(|c| c == fence.mark);
        if closes && (self.dialect != Dialect::CommonMark || cursor.indent(4) < 4) {
            let line = self.text[start..end].trim_end_matches(['\n', '\r']);
            return self.end_fence(start + line.len(), true);
        }
        cursor.skip_blanks(fence.indent);
        let from = start + cursor.at;
        fence.block.push(start, from..end, &self.text[from..end]);
    }

    fn end_fence(&mut self, outer_end: usize, closed: bool) {
        let Some(OpenFence { mut block, .. }) = self.open.take() else { return };
        block.outer_end = outer_end;
        // What follows the diagram may not belong to it, and a repair must not remove it.
        block.writable = closed;
        // A fence that swallows a diagram is as much a fault as one with a diagram.
        let opens_diagram = |line: &str| fence_mark(line.trim()).is_some_and(|(_, _, info)| is_mermaid(info));
        if !closed && (block.is_mermaid() || block.code.lines().any(opens_diagram)) {
            block.problem = Some(BlockProblem::Unclosed);
        }
        if block.info.starts_with('{') && block.is_mermaid() {
            block.remove_options();
        }
        self.found.push(block);
    }

    /// Comments, elements whose content is shown as it is, and elements with a diagram.
    fn open_html(&mut self, rest: &str, from: usize, end: usize, matched: usize, opened: bool) -> bool {
        let text = self.text;
        // A tag may stand behind others, but not in the code or the words of a paragraph.
        let tags = rest.starts_with('<') || (self.dialect == Dialect::Mdx && rest.starts_with('{'));
        let mut places = rest.match_indices('<').map(|(at, _)| from + at).filter(|_| tags);
        if let Some(element) = places.find_map(|from| Element::read(text, from)) {
            self.leave_unmatched(matched, opened);
            let quoted = self.containers.iter().any(|container| matches!(container, Container::Quote));
            let block = element.into_block(text, quoted);
            let after = &text[block.outer_end..];
            self.at = block.outer_end + after.find('\n').map_or(after.len(), |at| at + 1);
            self.found.push(block);
            return true;
        }
        let Some(until) = hides(rest, self.dialect) else { return false };
        self.leave_unmatched(matched, opened);
        let block = Block::new("", from..from + rest.len());
        self.read_hidden_line(Hidden { until, block }, rest, end);
        true
    }

    fn read_hidden_line(&mut self, mut hidden: Hidden, line: &str, end: usize) {
        hidden.block.outer_end = end;
        let line = line.to_ascii_lowercase();
        match hidden.until.iter().any(|mark| line.contains(mark)) {
            true => self.found.push(hidden.block),
            false => self.hidden = Some(hidden),
        }
    }
}

/// The lines that begin like this are not read as Markdown, up to one of the marks.
fn hides(rest: &str, dialect: Dialect) -> Option<&'static [&'static str]> {
    const RAW: [&str; 4] = ["<pre", "<script", "<style", "<textarea"];
    let raw = |name: &&str| {
        let tag = rest.get(..name.len()).filter(|tag| tag.eq_ignore_ascii_case(name));
        tag.is_some() && rest[name.len()..].chars().next().is_none_or(|c| c.is_whitespace() || c == '>')
    };
    match dialect {
        _ if rest.starts_with("<!--") => Some(&["-->"]),
        Dialect::Mdx if rest.starts_with("{/*") => Some(&["*/"]),
        Dialect::CommonMark if RAW.iter().any(raw) => {
            Some(&["</pre>", "</script>", "</style>", "</textarea>"])
        }
        _ => None,
    }
}

fn skip_quote_mark(cursor: &mut Cursor<'_>) {
    cursor.skip_mark(1);
    cursor.skip_blanks(1);
}

fn skip_list_mark(cursor: &mut Cursor<'_>, width: usize) -> Container {
    let before = cursor.indent(usize::MAX);
    cursor.skip_mark(width);
    // More blanks are indented code within the item.
    let blanks = match cursor.indent(5) {
        5 => 1,
        _ if cursor.blank() => 1,
        blanks => blanks,
    };
    cursor.skip_blanks(blanks);
    Container::Item(before + width + blanks)
}

/// The length of the mark of a list item.
pub(super) fn list_mark(line: &str) -> Option<usize> {
    let width = match line.bytes().next()? {
        b'-' | b'*' | b'+' => 1,
        _ => {
            let digits = line.bytes().take(10).take_while(u8::is_ascii_digit).count();
            ((1..=9).contains(&digits) && line[digits..].starts_with(['.', ')'])).then_some(digits + 1)?
        }
    };
    line[width..].chars().next().is_none_or(|c| c == ' ' || c == '\t').then_some(width)
}

fn footnote_mark(line: &str) -> Option<usize> {
    let name = line.strip_prefix("[^")?;
    let end = name.find("]:").filter(|end| !name[..*end].contains(char::is_whitespace))?;
    Some(end + 4)
}

fn is_heading(line: &str) -> bool {
    let title = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - title.len())) && (title.is_empty() || title.starts_with([' ', '\t']))
}

/// A thematic break.
fn is_rule(line: &str) -> bool {
    ['-', '*', '_'].into_iter().any(|mark| {
        line.chars().all(|c| c == mark || c == ' ' || c == '\t') && line.matches(mark).count() >= 3
    })
}

/// The line below a title.
fn is_underline(line: &str) -> bool {
    ['=', '-'].into_iter().any(|mark| line.chars().all(|c| c == mark))
}

/// The sign, the length and the info string of the mark that opens a fence.
fn fence_mark(line: &str) -> Option<(char, usize, &str)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~' | ':'))?;
    let info = line.trim_start_matches(mark);
    let length = line.len() - info.len();
    let info = info.trim();
    // A backtick in the info string makes it inline code; `:::` is a fence only for a diagram, as in Azure DevOps.
    let ok = match mark {
        '`' => !info.contains('`'),
        ':' => is_mermaid(info),
        _ => true,
    };
    (length >= 3 && ok).then_some((mark, length, info))
}
