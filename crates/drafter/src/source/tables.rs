//! Tables: which cells say something, and what their columns imply.
//!
//! Never reads two cells as one sentence, except a role and its goal.

use blueprint::Span;

use crate::source::labels::{label_len, label_only, quality_label, story_start};
use crate::source::markup::Cell;
use crate::source::roles::{self, Column};
use crate::source::{Block, Implied, Reason, Role};

/// Where a table stands.
pub(super) struct Frame {
    /// The role of plain text here.
    pub(super) role: Role,
    pub(super) section: usize,
    /// The words right above it.
    pub(super) title: Option<Span>,
}

/// The blocks of a table, row by row.
pub(super) fn read(text: &str, cells: &[Cell], frame: &Frame) -> Vec<Block> {
    let words = |span: Span| text.get(span.start..span.end).unwrap_or("");
    let head: Vec<Span> = cells.iter().filter(|c| c.row == 0).map(|c| trim(text, c.span)).collect();
    let columns: Vec<Column> = head.iter().map(|span| roles::column(words(*span))).collect();
    let roles_apart = columns.contains(&Column::Actor) && columns.contains(&Column::Goal);
    let owner =
        frame.title.and_then(|title| owner(text, title)).filter(|_| columns.contains(&Column::Property));
    let left = Some(frame.role).filter(|role| matches!(role, Role::Left(_)));
    let mut out: Vec<Block> = Vec::new();
    let mut quality = false;
    for cell in cells {
        let span = trim(text, cell.span);
        if cell.column == 0 {
            quality = quality_label(words(span));
        }
        if words(span).is_empty() {
            continue;
        }
        let column = columns.get(cell.column).copied().unwrap_or(Column::Text);
        let title = head.get(cell.column).copied().unwrap_or(span);
        let role = match (column, left) {
            _ if cell.row == 0 => Role::Left(Reason::Heading),
            (Column::Left(reason), _) => Role::Left(reason),
            (_, Some(left)) => left,
            _ if quality => Role::Left(Reason::NonFunctional),
            (Column::Goal | Column::Actor, _) if roles_apart => Role::Story,
            (Column::Property, _) if owner.is_some() => frame.role,
            _ if owner.is_some() => Role::Left(Reason::Heading),
            (Column::Text, _) if label_only(words(span)) => Role::Left(Reason::Heading),
            _ => frame.role,
        };
        let mut block = Block { span, role, section: frame.section, item: true, implied: Vec::new() };
        let lower = words(span).to_lowercase();
        let imply = |words: &str, from: Span| Implied { at: span.start, words: words.to_owned(), from };
        match (column, owner) {
            (Column::Goal, _) if role == Role::Story => {
                let wish = match lower.split(' ').next() {
                    Some("i") => ",",
                    Some("to") => ", I want",
                    _ => ", I want to",
                };
                // The cell of the role stands before it in the same row.
                if let Some(actor) = out.last_mut().filter(|b| b.role == Role::Story && b.implied.len() == 1)
                {
                    actor.span.end = span.end;
                    actor.implied.push(imply(wish, title));
                }
                continue;
            }
            (Column::Actor, _) if role == Role::Story => {
                block.implied.push(imply(if lower.starts_with("as ") { "" } else { "As a" }, title));
            }
            (Column::Property, Some(owner)) if role == frame.role => {
                block.implied.push(imply("Each", title));
                block.implied.push(imply(words(owner), owner));
                block.implied.push(imply("has a", title));
            }
            _ if matches!(role, Role::Left(_)) => {}
            _ => match story_start(words(span)) {
                Some(at) => (block.span.start, block.role) = (span.start + at, Role::Story),
                None if column == Column::Text => block.span.start += label_len(words(span)),
                None => {}
            },
        }
        out.push(block);
    }
    out
}

/// The thing whose properties a table lists, from the words above it: `Patient`, `Table: Patient`.
fn owner(text: &str, title: Span) -> Option<Span> {
    let line = text.get(title.start..title.end)?.trim_end_matches([':', ' ']);
    let mut from = label_len(line);
    from += line.get(from..)?.rfind(": ").map_or(0, |at| at + 2);
    let mut name = line.get(from..)?;
    while let Some((before, last)) = name.rsplit_once(' ').or(Some(("", name)))
        && FORMAL.contains(&last.to_lowercase().as_str())
    {
        name = before;
    }
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    let start = title.start + from;
    (plain && (1..=3).contains(&name.split_whitespace().count()))
        .then_some(Span { start, end: start + name.len() })
}

/// Words for the table itself in a title.
const FORMAL: &[&str] = &[
    "table",
    "entity",
    "class",
    "object",
    "fields",
    "attributes",
    "properties",
    "data",
    "dictionary",
    "model",
];

/// A range without the blanks at its ends.
fn trim(text: &str, span: Span) -> Span {
    let piece = text.get(span.start..span.end).unwrap_or("");
    let lead = piece.len() - piece.trim_start().len();
    let start = span.start + lead;
    Span { start, end: start + piece.trim().len() }
}
