//! Where a label ends: closing brackets, also wrong ones, and how far to look for them.
//!
//! Every look ahead is at most [`REACH`] bytes far, and all together are at most a multiple of the text, so that the
//! time grows with the text and not with its square.

use std::cell::Cell;

use super::arrows::arrow;
use crate::deadline::Deadline;

/// How far a closing mark may be away.
const REACH: usize = 600;
/// How far it may be away once so much was looked at that the text cannot be a diagram with a few mistakes.
const SHORT_REACH: usize = 40;
/// How many bytes are looked at for each byte of the text before the reach becomes short.
const LOOKS: usize = 128;
/// Searches for one character are so much faster than reading brackets.
const FAST: usize = 8;

/// Looks ahead in one text.
pub(super) struct Lookahead<'d> {
    pub(super) deadline: &'d Deadline,
    left: Cell<usize>,
    /// Where a closing bracket was looked for, and where it stands: between the two there is none.
    next_close: Cell<(usize, usize)>,
}

impl<'d> Lookahead<'d> {
    pub(super) fn new(text: &str, deadline: &'d Deadline) -> Self {
        Lookahead {
            deadline,
            left: Cell::new(LOOKS * text.len() + (64 << 10)),
            next_close: Cell::new((0, 0)),
        }
    }

    /// Records that so many bytes were looked at.
    pub(super) fn record(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes));
        self.deadline.record(bytes);
    }

    /// How far a mark may be away.
    pub(super) fn reach(&self) -> usize {
        if self.left.get() > 0 { REACH } else { SHORT_REACH }
    }

    /// The part of `text` that is looked at.
    pub(super) fn window<'t>(&self, text: &'t str) -> &'t str {
        &text[..text.floor_char_boundary(self.reach())]
    }

    /// Where a mark stands in the part of `text` that is looked at.
    pub(super) fn find(&self, text: &str, mark: char) -> Option<usize> {
        let seen = self.window(text);
        let found = seen.find(mark);
        self.record(found.unwrap_or(seen.len()) / FAST + 1);
        found
    }

    /// Whether a closing bracket is near enough to close what begins at `at`, in a line that ends at `end`.
    pub(super) fn can_be_closed(&self, text: &str, at: usize, end: usize) -> bool {
        let (from, mut close) = self.next_close.get();
        if !(from <= at && at < close && close <= end) {
            let rest = &text[at..end];
            let length = rest.find([']', ')', '}']).unwrap_or(rest.len());
            self.record(length);
            close = at + length;
            self.next_close.set((at, close));
        }
        close < end && close - at <= self.reach() + 4
    }

    /// The length of `@{…}`.
    pub(super) fn data(&self, rest: &str) -> Option<usize> {
        let inner = self.window(rest.strip_prefix("@{")?);
        let mut in_quotes = false;
        for (at, character) in inner.char_indices() {
            in_quotes ^= character == '"';
            if character == '}' && !in_quotes {
                self.record(at);
                return Some(2 + at + 1);
            }
        }
        self.record(inner.len());
        None
    }

    /// What may follow a node.
    fn goes_on(&self, rest: &str) -> bool {
        let seen = self.window(rest);
        let trimmed = seen.trim_start();
        let spaced = trimmed.len() < seen.len();
        self.record(seen.len() - trimmed.len() + 1);
        if trimmed.is_empty() {
            return seen.len() == rest.len();
        }
        trimmed.starts_with([';', '&'])
            || trimmed.starts_with(":::")
            || trimmed.starts_with("@{")
            || trimmed.starts_with("%%")
            || trimmed.starts_with(": ")
            || arrow(trimmed, (!spaced).then_some('n')).is_some()
    }

    /// Where a label ends: its length, the mark that closes it, and whether the brackets inside are in pairs.
    pub(super) fn closing<'a>(&self, inner: &str, closers: &[&'a str]) -> Option<(usize, &'a str, bool)> {
        let seen = self.window(inner);
        let quoted = seen.trim_start().starts_with('"');
        let mut first = None;
        let mut depth = 0_i32;
        let mut lowest = 0;
        // Past an arrow another node may begin: only paired brackets show that the label continues.
        let mut crossing = None;
        let mut last = ' ';
        let mut quotes = 0;
        for (at, character) in seen.char_indices() {
            let rest = &inner[at..];
            if let Some(close) = closers.iter().find(|close| rest.starts_with(**close))
                && at > 0
                && (!quoted || (last == '"' && quotes > 1))
                && self.goes_on(&rest[close.len()..])
            {
                if quoted || (depth == 0 && lowest == 0) {
                    self.record(at);
                    return Some((at, close, true));
                }
                if first.is_none() {
                    // A bracket of the same sort inside belongs to another node.
                    let foreign = inner[..at].contains(&close[close.len() - 1..]);
                    self.record(at / FAST);
                    let crossing = *crossing.get_or_insert_with(|| self.unclosed_length(inner));
                    first = Some((at, *close, false)).filter(|_| at <= crossing && !foreign);
                }
            }
            match character {
                '[' | '(' | '{' => depth += 1,
                ']' | ')' | '}' => depth -= 1,
                '"' => quotes += 1,
                _ => {}
            }
            lowest = lowest.min(depth);
            if !character.is_whitespace() {
                last = character;
            }
        }
        self.record(seen.len());
        first
    }

    /// The first group of closing brackets after which the statement goes on.
    pub(super) fn broken_close(&self, inner: &str) -> Option<(usize, usize)> {
        let seen = self.window(inner);
        let mut from = 0;
        while let Some(found) = seen[from..].find([')', ']', '}']) {
            let at = from + found;
            let group = seen[at..].len() - seen[at..].trim_start_matches([')', ']', '}']).len();
            self.record(found + group);
            if self.goes_on(&inner[at + group..]) {
                return Some((at, group));
            }
            from = at + group;
        }
        self.record(seen.len() - from);
        None
    }

    /// How long a label without a closing mark is: up to the next arrow that stands between spaces.
    pub(super) fn unclosed_length(&self, inner: &str) -> usize {
        let seen = self.window(inner);
        let cut = seen.match_indices(' ').map(|(at, _)| at).find(|at| {
            let rest = &seen[at + 1..];
            matches!(rest.chars().next(), Some('-' | '=' | '<' | '→'))
                && arrow(rest, None)
                    .is_some_and(|(length, _)| rest[length..].starts_with([' ', '|']) || rest.len() == length)
        });
        let end = cut.unwrap_or_else(|| seen.find(';').unwrap_or(seen.len()));
        self.record(cut.unwrap_or(seen.len()) / FAST + 1);
        seen[..end].trim_end().len()
    }
}

/// How many more brackets are opened than closed.
pub(super) fn balance(text: &str) -> i32 {
    text.chars().fold(0, |depth, c| match c {
        '[' | '(' | '{' => depth + 1,
        ']' | ')' | '}' => depth - 1,
        _ => depth,
    })
}
