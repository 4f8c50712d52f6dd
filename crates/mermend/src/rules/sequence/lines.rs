//! The lines of a sequence diagram, as far as a rule needs to know them. Never rejects a line.

use std::ops::Range;

use crate::document::{Document, Line};

/// Arrows of messages, the longest first.
pub(super) const ARROWS: [&str; 12] =
    ["<<-->>", "<<->>", "-->>", "->>", "--x", "--)", "-->", "-x", "-)", "->", "-|\\", "-|/"];

/// Words that begin a block with a text behind them.
pub(super) const BLOCKS: [&str; 10] =
    ["loop", "alt", "else", "opt", "par", "and", "critical", "option", "break", "rect"];

/// One line that is neither empty nor closed.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) line: Line<'a>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    /// `from arrow to : text`
    Message {
        from: Range<usize>,
        arrow: Range<usize>,
        to: Range<usize>,
        /// Behind the colon; none if there is no colon.
        text: Option<Range<usize>>,
    },
    /// `Note over a,b: text`
    Note {
        who: Range<usize>,
        text: Option<Range<usize>>,
    },
    /// `participant a as text` or `actor a`.
    Participant {
        id: Range<usize>,
        alias: Option<Range<usize>>,
    },
    /// A block or a title: the text behind its word.
    Text {
        text: Range<usize>,
    },
    /// `activate a`, `deactivate a`, `destroy a`.
    Life {
        who: Range<usize>,
    },
    Other,
}

/// Every statement after the header.
pub(super) fn statements<'a>(document: &Document<'a>) -> Vec<Statement<'a>> {
    match document.is("sequence") {
        true => document.body().map(|line| Statement { line, body: read(&line) }).collect(),
        false => Vec::new(),
    }
}

fn read(line: &Line<'_>) -> Body {
    let (start, content) = line.content();
    let word_end = content.find(char::is_whitespace).unwrap_or(content.len());
    let word = content[..word_end].to_ascii_lowercase();
    let rest = rest_of(content, word_end);
    let at = |range: Range<usize>| start + range.start..start + range.end;
    let inner = &content[rest.clone()];
    match word.as_str() {
        "participant" | "actor" => {
            let (id, alias) = alias(inner);
            return Body::Participant {
                id: at(shift(id, rest.start)),
                alias: alias.map(|range| at(shift(range, rest.start))),
            };
        }
        "create" | "box" => {
            let second = inner.find(char::is_whitespace).unwrap_or(inner.len());
            if word == "create" && matches!(&inner[..second], "participant" | "actor") {
                let skipped = rest_of(inner, second);
                let (id, alias) = alias(&inner[skipped.clone()]);
                let base = rest.start + skipped.start;
                return Body::Participant {
                    id: at(shift(id, base)),
                    alias: alias.map(|range| at(shift(range, base))),
                };
            }
            return Body::Other;
        }
        "activate" | "deactivate" | "destroy" => return Body::Life { who: at(rest) },
        _ => {}
    }
    if word == "note" {
        let lower = inner.to_ascii_lowercase();
        let side = ["right of ", "left of ", "over "].into_iter().find(|side| lower.starts_with(side));
        if let Some(side) = side {
            let colon = inner.find(':');
            let who = rest_of(&inner[..colon.unwrap_or(inner.len())], side.len());
            let text = colon.map(|colon| rest_of(inner, colon + 1));
            return Body::Note {
                who: at(shift(who, rest.start)),
                text: text.map(|range| at(shift(range, rest.start))),
            };
        }
    }
    if let Some(message) = message(content) {
        let (from, arrow, to, text) = message;
        return Body::Message { from: at(from), arrow: at(arrow), to: at(to), text: text.map(at) };
    }
    if BLOCKS.contains(&word.as_str()) || word.trim_end_matches(':') == "title" {
        return Body::Text { text: at(rest) };
    }
    Body::Other
}

type Message = (Range<usize>, Range<usize>, Range<usize>, Option<Range<usize>>);

fn message(content: &str) -> Option<Message> {
    let head = &content[..content.find(':').unwrap_or(content.len())];
    let (at, arrow) = head.char_indices().find_map(|(at, _)| {
        ARROWS.iter().find(|arrow| head[at..].starts_with(**arrow)).map(|arrow| (at, *arrow))
    })?;
    let from = 0..head[..at].trim_end().len();
    let mut to_start = at + arrow.len();
    to_start += head[to_start..].len() - head[to_start..].trim_start().len();
    if head[to_start..].starts_with(['+', '-']) {
        to_start += 1;
    }
    let to = rest_of(head, to_start);
    let text = content.find(':').map(|colon| rest_of(content, colon + 1));
    Some((from, at..at + arrow.len(), to, text))
}

/// The id and the text behind `as`.
fn alias(inner: &str) -> (Range<usize>, Option<Range<usize>>) {
    match inner.find(" as ") {
        Some(at) => (0..inner[..at].trim_end().len(), Some(rest_of(inner, at + 4))),
        None => (0..inner.trim_end().len(), None),
    }
}

/// What stands behind `from`, without the spaces around it.
fn rest_of(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from..];
    let start = from + rest.len() - rest.trim_start().len();
    start..start + text[start..].trim_end().len()
}

fn shift(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}
