//! What the author of a flowchart probably meant: nodes, links and labels, also where brackets and arrows are wrong.
//!
//! It never rejects: what it cannot read is `Junk`. All ranges are bytes of the whole text. Every look ahead is bounded
//! (`labels.rs`), so that the time grows with the text and not with its square.

use super::{
    arrows::{Arrow, arrow, dashes, dots},
    labels::{Lookahead, balance},
};
use crate::document::Document;
use crate::flowchart_statement::{Body, Form, Link, Node, Piece, Shape, Statement};

/// Words that begin a statement of their own.
const KEYWORDS: [&str; 10] = [
    "subgraph",
    "end",
    "direction",
    "style",
    "linkStyle",
    "classDef",
    "class",
    "click",
    "accTitle",
    "accDescr",
];

/// Opening marks, the longest first, with the marks that may close them.
const SHAPES: [(&str, &[&str]); 14] = [
    ("(((", &[")))"]),
    ("([", &["])"]),
    ("((", &["))"]),
    ("(-", &["-)"]),
    ("[[", &["]]"]),
    ("[(", &[")]"]),
    ("[|", &["|]"]),
    ("[/", &["/]", "\\]"]),
    ("[\\", &["\\]", "/]"]),
    ("{{", &["}}"]),
    ("[", &["]"]),
    ("(", &[")"]),
    ("{", &["}"]),
    (">", &["]"]),
];

/// Every statement after the header, in order.
pub(super) fn statements<'d>(document: &'d Document<'_>) -> &'d [Statement] {
    document.flowchart_statements(read)
}

fn read(document: &Document<'_>) -> Vec<Statement> {
    let mut found = Vec::new();
    if !document.is("flowchart") {
        return found;
    }
    let ahead = Lookahead::new(document.text, document.deadline());
    let lines: Vec<_> = document.body().collect();
    let odd_quotes: Vec<bool> = lines.iter().map(|line| line.text.matches('"').count() % 2 == 1).collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        // A quoted label may go over several lines.
        let mut last = at;
        if odd_quotes[at] {
            let end = odd_quotes[at + 1..].iter().take(12).position(|odd| *odd);
            let closes = |text: &str| {
                text.split_once('"')
                    .is_some_and(|(_, rest)| rest.trim_start().starts_with([']', ')', '}', '|', '/', '\\']))
            };
            if let Some(length) = end.filter(|length| closes(lines[at + 1 + length].text)) {
                last = at + 1 + length;
            }
        }
        if !document.spend(lines[last].end() - line.start + 1) {
            break;
        }
        scan_line(document.text, line.start, lines[last].end(), &ahead, &mut found);
        at = last + 1;
    }
    // The header's own line may go on with statements after a semicolon.
    if let Some(header) = document.header()
        && let Some(at) = header.text.find(';')
    {
        let mut first = Vec::new();
        scan_line(document.text, header.start + at + 1, header.end(), &ahead, &mut first);
        first.append(&mut found);
        found = first;
    }
    found
}

fn scan_line(text: &str, start: usize, end: usize, ahead: &Lookahead<'_>, found: &mut Vec<Statement>) {
    let mut at = start;
    while at < end {
        let rest = &text[at..end];
        let skipped = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
        at += skipped;
        if at >= end || text[at..end].starts_with("%%") {
            return;
        }
        let from = at;
        let word_end = at
            + text[at..end]
                .find(|c: char| c.is_whitespace() || matches!(c, ';' | ':' | '[' | '(' | '{'))
                .unwrap_or(end - at);
        let word = &text[at..word_end];
        let follows = text[word_end..end].trim_start();
        let is_node = follows.starts_with(['-', '=', '[', '(', '{', '&', '<', '→']) && word != "subgraph";
        if KEYWORDS.contains(&word) && !is_node {
            let stop = match word {
                "style" | "linkStyle" | "classDef" | "click" => end,
                _ => word_end + text[word_end..end].find(';').unwrap_or(end - word_end),
            };
            let rest_start = stop - text[word_end..stop].trim_start().len();
            let rest_end = rest_start + text[rest_start..stop].trim_end().len();
            let body = Body::Keyword { word: at..word_end, rest: rest_start..rest_end };
            found.push(Statement { range: from..rest_end.max(word_end), body });
            at = stop;
            continue;
        }
        let mut scanner = Scanner { text, end, at, ahead, pieces: Vec::new(), barren: at };
        scanner.chain();
        if ahead.deadline.spend(scanner.at.saturating_sub(from)).is_err() {
            return;
        }
        at = scanner.at.max(from + 1);
        let range = from..from + text[from..scanner.at].trim_end().len();
        found.push(Statement { range, body: Body::Chain(scanner.pieces) });
    }
}

struct Scanner<'a> {
    text: &'a str,
    end: usize,
    at: usize,
    ahead: &'a Lookahead<'a>,
    pieces: Vec<Piece>,
    /// Up to here the end of `-- text -->` was looked for in vain.
    barren: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Everything up to a semicolon or the end of the line. Ends early when the deadline is exceeded.
    fn chain(&mut self) {
        loop {
            if self.ahead.deadline.spend(1).is_err() {
                self.at = self.end;
                return;
            }
            self.skip_spaces();
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with(';') || rest.starts_with("%%") {
                if rest.starts_with("%%") {
                    self.at = self.end;
                }
                return;
            }
            let piece = if rest.starts_with('&') && rest[1..].starts_with(|c: char| c.is_whitespace()) {
                self.at += 1;
                Piece::And
            } else if let Some(link) = self.link() {
                Piece::Link(link)
            } else if let Some(class) = rest.strip_prefix(":::") {
                let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '-' | '=');
                self.at += 3 + class.find(ends).unwrap_or(class.len());
                Piece::Extra
            } else if let Some(length) = self.ahead.data(rest) {
                self.at += length;
                Piece::Extra
            } else if let Some(node) = self.node() {
                Piece::Node(node)
            } else {
                let from = self.at;
                self.at += self.rest().chars().next().map_or(1, char::len_utf8);
                Piece::Junk(from..self.at)
            };
            self.pieces.push(piece);
        }
    }

    fn node(&mut self) -> Option<Node> {
        let from = self.at;
        let mut before = None;
        for (offset, character) in self.text[from..self.end].char_indices() {
            let here = from + offset;
            let rest = &self.text[here..self.end];
            let stop = character.is_whitespace()
                || matches!(character, '[' | ']' | '(' | ')' | '{' | '}' | '|' | ';' | '"' | ':' | ',' | '<')
                || (character == '>' && before.is_some())
                || (character == '@' && rest.starts_with("@{"))
                || (matches!(character, '-' | '=' | '→' | '—' | '–' | '⟶' | '⇒' | '~')
                    && arrow(rest, before).is_some());
            if stop {
                break;
            }
            before = Some(character);
            self.at = here + character.len_utf8();
        }
        let id = from..self.at;
        let shape = self.shape();
        match shape {
            None if id.is_empty() => self.quoted(),
            shape => Some(Node { id, shape }),
        }
    }

    /// A text in quotes where a node should stand.
    fn quoted(&mut self) -> Option<Node> {
        let rest = self.rest().strip_prefix('"')?;
        let length = self.ahead.find(rest, '"')?;
        let label = self.at + 1..self.at + 1 + length;
        let open = self.at..self.at;
        self.at = label.end + 1;
        Some(Node {
            id: open.clone(),
            shape: Some(Shape {
                open,
                close: label.end + 1..label.end + 1,
                label: label.start - 1..label.end + 1,
                should_close: None,
            }),
        })
    }

    fn shape(&mut self) -> Option<Shape> {
        let from = self.at;
        let rest = &self.text[from..self.end];
        let ahead = self.ahead;
        let mut openers = SHAPES.iter().filter(|(open, _)| rest.starts_with(open)).peekable();
        let (longest, longest_closers) = *openers.peek()?;
        let can_be_closed = ahead.can_be_closed(self.text, from, self.end);
        let mut loose = None;
        for (open, closers) in openers {
            let inner = &rest[open.len()..];
            if let Some((length, close, balanced)) =
                can_be_closed.then(|| ahead.closing(inner, closers)).flatten()
            {
                let found = (*open, length, close.len());
                if balanced {
                    loose = Some(found);
                    break;
                }
                loose = loose.or(Some(found));
            }
        }
        let start = from;
        let shape = |open: &str, length: usize, close: usize, should_close| {
            let label = start + open.len()..start + open.len() + length;
            Shape { open: start..label.start, close: label.end..label.end + close, label, should_close }
        };
        // The longest opening mark with a closing mark that lacks a part or has its parts swapped.
        let swapped = longest_closers
            .first()
            .filter(|_| can_be_closed && longest.len() > 1 && longest.bytes().all(|b| b"([{".contains(&b)))
            .and_then(|should| {
                let inner = &rest[longest.len()..];
                let (length, close) = ahead.broken_close(inner)?;
                Some(shape(longest, length, close, Some(*should)))
            });
        let found = match (loose, swapped) {
            (Some((open, length, close)), swapped) => {
                let label = &rest[open.len()..open.len() + length];
                let plain = open == *longest || balance(label) == 0;
                match swapped {
                    Some(swapped) if !plain && balance(&self.text[swapped.label.clone()]) == 0 => swapped,
                    _ => shape(open, length, close, None),
                }
            }
            (None, Some(swapped)) => swapped,
            // A `>` alone is more likely an arrow's head than the outline of a flag.
            (None, None) if *longest == ">" => return None,
            (None, None) => {
                let inner = &rest[longest.len()..];
                let length = ahead.unclosed_length(inner);
                let should = longest_closers
                    .first()
                    .copied()
                    .filter(|_| !inner[..length].contains(['[', ']', '(', ')', '{', '}']));
                shape(longest, length, 0, should)
            }
        };
        self.at = found.close.end;
        Some(found)
    }

    fn link(&mut self) -> Option<Link> {
        let from = self.at;
        let before = self.text[..from].chars().next_back().filter(|_| from > 0);
        let (length, kind) = arrow(self.rest(), before.filter(|c| !c.is_whitespace()))?;
        self.at += length;
        let left = self.text[from..].starts_with('<');
        let kind = match kind {
            Arrow::Start(_) if left && self.rest().trim_start().starts_with('|') => Arrow::Left,
            kind => kind,
        };
        let reverse = matches!(kind, Arrow::Left);
        match kind {
            Arrow::Whole(_) | Arrow::Left => {
                let should_be = if let Arrow::Whole(should_be) = kind { should_be } else { None };
                let arrow = from..self.at;
                let rest = self.rest();
                let gap = rest.len() - rest.trim_start().len();
                let after = &rest[gap..];
                let Some(inner) = after.strip_prefix('|') else {
                    return Some(Link {
                        range: arrow.clone(),
                        arrow,
                        should_be,
                        label: None,
                        form: Form::Bare,
                        reverse,
                        extra: None,
                    });
                };
                let start = self.at + gap + 1;
                let quoted = inner.trim_start().strip_prefix('"').and_then(|tail| {
                    let skip = inner.len() - tail.len();
                    self.ahead.window(tail).match_indices('"').map(|(at, _)| skip + at + 1).find(|at| {
                        let behind = self.ahead.window(&inner[*at..]);
                        let trimmed = behind.trim_start();
                        self.ahead.record(behind.len() - trimmed.len() + 1);
                        trimmed.starts_with('|')
                    })
                });
                let close = match quoted {
                    Some(end) => inner[end..].find('|').map(|at| end + at),
                    None => self.ahead.find(inner, '|'),
                };
                let (label, form) = match close {
                    Some(length) => (start..start + length, Form::Pipe),
                    None => {
                        let seen = self.ahead.window(inner);
                        let length = seen.find(['[', '(', '{', ';']).unwrap_or(seen.len());
                        self.ahead.record(length);
                        (start..start + length, Form::OpenPipe)
                    }
                };
                self.at = label.end + usize::from(form == Form::Pipe);
                if form == Form::OpenPipe {
                    // The last word before the bracket is the node.
                    let text = &self.text[label.clone()];
                    let node = text.trim_end().rfind(char::is_whitespace).unwrap_or(0);
                    self.at = label.start + node;
                    let label = label.start..self.at;
                    return Some(Link {
                        range: from..self.at,
                        arrow,
                        should_be,
                        label: Some(label),
                        form,
                        reverse,
                        extra: None,
                    });
                }
                let extra =
                    (self.rest().starts_with('>') && form == Form::Pipe).then(|| self.at..self.at + 1);
                self.at += usize::from(extra.is_some());
                Some(Link {
                    range: from..self.at,
                    arrow,
                    should_be,
                    label: Some(label),
                    form,
                    reverse,
                    extra,
                })
            }
            Arrow::Start(stroke) => {
                let start = self.at;
                let inner = self.ahead.window(self.rest());
                let looked = self.barren.saturating_sub(start + 3);
                self.ahead.record(inner.len().saturating_sub(looked));
                let closed = inner.char_indices().skip_while(|(at, _)| *at < looked).find_map(|(at, c)| {
                    let rest = &inner[at..];
                    let found =
                        match (stroke, c) {
                            ('-', '-') => dashes(rest, '-')
                                .or_else(|| rest.starts_with("->").then_some((2, Some("-->")))),
                            ('=', '=') => dashes(rest, '=')
                                .or_else(|| rest.starts_with("=>").then_some((2, Some("==>")))),
                            ('.', '.') => dots(rest),
                            ('.', '-') => {
                                rest.strip_prefix('-').and_then(dots).map(|(length, fix)| (length + 1, fix))
                            }
                            _ => None,
                        };
                    found.map(|(length, fix)| (at, length, fix))
                });
                let Some((at, length, should_be)) = closed else {
                    // An arrow without a head and without a text.
                    self.barren = start + inner.len();
                    let whole = match stroke {
                        '-' => "---",
                        '=' => "===",
                        _ => "-.-",
                    };
                    let arrow = from..start;
                    return Some(Link {
                        range: arrow.clone(),
                        arrow,
                        should_be: Some(whole).filter(|_| !left),
                        label: None,
                        form: Form::Bare,
                        reverse: left,
                        extra: None,
                    });
                };
                let arrow = start + at..start + at + length;
                self.at = arrow.end;
                let label = start + inner.len() - inner.trim_start().len()
                    ..start + inner[..at].trim_end().len().max(inner.len() - inner.trim_start().len());
                Some(Link {
                    range: from..arrow.end,
                    arrow,
                    should_be,
                    label: Some(label),
                    form: Form::Inline(stroke),
                    reverse: false,
                    extra: None,
                })
            }
        }
    }
}
