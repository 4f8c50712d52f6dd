//! Markdown to text of the same length, in which markup is blank, and the places of tables, code and headings.
//!
//! Never treats an indented line as code: requirements are indented for many reasons.

use std::ops::Range;

use blueprint::Span;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A heading in a setext underline longer than this is a paragraph above a rule.
const MAX_TITLE: usize = 90;

/// A cell of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Row 0 is the head.
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) span: Span,
}

/// What a line belongs to, if it is not plain text.
#[derive(Debug, Clone)]
pub(super) enum Region {
    Code,
    Heading(usize),
    Quote,
    /// The cells, row by row.
    Table(Vec<Cell>),
}

/// A document without its markup.
#[derive(Debug, Default)]
pub(super) struct Markup {
    /// The text; markup is blank.
    pub(super) text: String,
    /// Ranges of lines that are more than plain text, in order.
    pub(super) regions: Vec<(Span, Region)>,
}

/// Reads a document.
pub(super) fn read(original: &str) -> Markup {
    let mut out = Markup::default();
    let mut blanks: Vec<Range<usize>> = Vec::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut cells: Vec<Cell> = Vec::new();
    let (mut row, mut column) = (0, 0);
    let mut quotes = 0_usize;
    for (event, range) in Parser::new_ext(original, options).into_offset_iter() {
        let piece = original.get(range.clone()).unwrap_or("");
        let span = Span { start: range.start, end: range.end };
        match event {
            Event::Start(Tag::Emphasis) => edges(&range, 1, &mut blanks),
            Event::Start(Tag::Strong) => edges(&range, 2, &mut blanks),
            Event::Start(Tag::Strikethrough) => {
                edges(&range, piece.bytes().take_while(|b| *b == b'~').count(), &mut blanks)
            }
            Event::Code(_) => edges(&range, piece.bytes().take_while(|b| *b == b'`').count(), &mut blanks),
            Event::TaskListMarker(_) => blanks.push(range),
            Event::Start(Tag::Image { .. }) => blanks.push(range),
            Event::Start(Tag::Link { .. }) => link(piece, range.start, &mut blanks),
            Event::Html(_) | Event::InlineHtml(_) => tags(piece, range.start, &mut blanks),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => out.regions.push((span, Region::Code)),
            Event::Start(Tag::Heading { level, .. }) => {
                let setext = !piece.trim_start().starts_with('#');
                let title = piece.trim_end().trim_end_matches(['=', '-']).trim_end();
                let long = setext && (title.len() > MAX_TITLE || title.contains('\n'));
                let sentence = title.ends_with('.');
                if !long && !sentence {
                    out.regions.push((span, Region::Heading(depth(level))));
                }
                if setext && let Some(line) = piece.trim_end().rfind('\n') {
                    blanks.push(range.start + line..range.start + piece.trim_end().len());
                }
            }
            Event::Start(Tag::BlockQuote(_)) => {
                if quotes == 0 {
                    out.regions.push((span, Region::Quote));
                    let mut at = range.start;
                    for line in piece.split_inclusive('\n') {
                        let marks = line.len() - line.trim_start_matches([' ', '>', '\t']).len();
                        blanks.push(at..at + marks);
                        at += line.len();
                    }
                }
                quotes += 1;
            }
            Event::End(TagEnd::BlockQuote(_)) => quotes = quotes.saturating_sub(1),
            Event::Rule => blanks.push(range),
            Event::Start(Tag::Table(_)) => (row, cells) = (0, Vec::new()),
            Event::Start(Tag::TableRow) => {
                row += 1;
                column = 0;
            }
            Event::Start(Tag::TableHead) => column = 0,
            Event::Start(Tag::TableCell) => {
                cells.push(Cell { row, column, span });
                column += 1;
            }
            Event::End(TagEnd::Table) => out.regions.push((span, Region::Table(std::mem::take(&mut cells)))),
            _ => {}
        }
    }
    out.regions.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut bytes = original.as_bytes().to_vec();
    for range in blanks {
        let whole = original.is_char_boundary(range.start)
            && original.is_char_boundary(range.end.min(original.len()));
        for byte in bytes
            .get_mut(range)
            .unwrap_or_default()
            .iter_mut()
            .filter(|b| whole && !matches!(b, b'\n' | b'\r'))
        {
            *byte = b' ';
        }
    }
    out.text = String::from_utf8(bytes).unwrap_or_else(|_| original.to_owned());
    out
}

fn depth(level: HeadingLevel) -> usize {
    level as usize
}

/// The marks at both ends of emphasis.
fn edges(range: &Range<usize>, len: usize, blanks: &mut Vec<Range<usize>>) {
    blanks.push(range.start..range.start + len);
    blanks.push(range.end.saturating_sub(len)..range.end);
}

/// `[text](address)`: the address is not part of the text.
fn link(piece: &str, start: usize, blanks: &mut Vec<Range<usize>>) {
    let Some(close) =
        piece.starts_with('[').then(|| piece.rfind("](").or_else(|| piece.rfind(']'))).flatten()
    else {
        blanks.push(start..start + piece.len());
        return;
    };
    blanks.push(start..start + 1);
    blanks.push(start + close..start + piece.len());
}

/// Tags and comments; what stands between tags is text.
fn tags(piece: &str, start: usize, blanks: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(open) = piece.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
        let rest = piece.get(open..).unwrap_or("");
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|e| e + 3)
        } else {
            rest.find('>').map(|e| e + 1)
        };
        let end = open + end.unwrap_or(rest.len());
        blanks.push(start + open..start + end);
        at = end;
    }
}
