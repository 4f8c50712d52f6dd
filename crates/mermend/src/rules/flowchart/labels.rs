//! Where a label ends: closing brackets, also wrong ones, and how far to look for them.
//!
//! Every look ahead is at most [`REACH`] bytes far, so that the time grows with the text and not with its square.

use super::arrows::arrow;

/// How far a closing mark may be away.
const REACH: usize = 600;

/// The length of `@{…}`.
pub(super) fn data(rest: &str) -> Option<usize> {
    let inner = window(rest.strip_prefix("@{")?);
    let mut in_quotes = false;
    for (at, character) in inner.char_indices() {
        in_quotes ^= character == '"';
        if character == '}' && !in_quotes {
            return Some(2 + at + 1);
        }
    }
    None
}

/// The part of `text` that is looked at.
pub(super) fn window(text: &str) -> &str {
    let mut end = text.len().min(REACH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What may follow a node.
pub(super) fn goes_on(rest: &str) -> bool {
    let trimmed = rest.trim_start();
    let spaced = trimmed.len() < rest.len();
    trimmed.is_empty()
        || trimmed.starts_with([';', '&'])
        || trimmed.starts_with(":::")
        || trimmed.starts_with("@{")
        || trimmed.starts_with("%%")
        || trimmed.starts_with(": ")
        || arrow(trimmed, (!spaced).then_some('n')).is_some()
}

/// Where a label ends: its length, the mark that closes it, and whether the brackets inside are in pairs.
pub(super) fn closing<'a>(inner: &str, closers: &[&'a str]) -> Option<(usize, &'a str, bool)> {
    let seen = window(inner);
    let quoted = seen.trim_start().starts_with('"');
    let mut first = None;
    let mut depth = 0_i32;
    let mut lowest = 0;
    // Past an arrow another node may begin: only brackets in pairs can tell that the label goes on.
    let crossing = unclosed_length(inner);
    let mut last = ' ';
    let mut quotes = 0;
    for (at, character) in seen.char_indices() {
        let rest = &inner[at..];
        if let Some(close) = closers.iter().find(|close| rest.starts_with(**close))
            && at > 0
            && (!quoted || (last == '"' && quotes > 1))
            && goes_on(&rest[close.len()..])
        {
            if quoted || (depth == 0 && lowest == 0) {
                return Some((at, close, true));
            }
            // A bracket of the same sort inside belongs to another node.
            let foreign = inner[..at].contains(&close[close.len() - 1..]);
            first = first.or(Some((at, *close, false)).filter(|_| at <= crossing && !foreign));
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
    first
}

/// The first group of closing brackets after which the statement goes on.
pub(super) fn broken_close(inner: &str) -> Option<(usize, usize)> {
    let seen = window(inner);
    let mut from = 0;
    while let Some(found) = seen[from..].find([')', ']', '}']) {
        let at = from + found;
        let group = seen[at..].len() - seen[at..].trim_start_matches([')', ']', '}']).len();
        if goes_on(&inner[at + group..]) {
            return Some((at, group));
        }
        from = at + group;
    }
    None
}

/// How long a label without a closing mark is: up to the next arrow that stands between spaces.
pub(super) fn unclosed_length(inner: &str) -> usize {
    let seen = window(inner);
    let cut = seen.match_indices(' ').map(|(at, _)| at).find(|at| {
        let rest = &seen[at + 1..];
        matches!(rest.chars().next(), Some('-' | '=' | '<' | '→'))
            && arrow(rest, None)
                .is_some_and(|(length, _)| rest[length..].starts_with([' ', '|']) || rest.len() == length)
    });
    let end = cut.unwrap_or_else(|| seen.find(';').unwrap_or(seen.len()));
    seen[..end].trim_end().len()
}

/// How many more brackets are opened than closed.
pub(super) fn balance(text: &str) -> i32 {
    text.chars().fold(0, |depth, c| match c {
        '[' | '(' | '{' => depth + 1,
        ']' | ')' | '}' => depth - 1,
        _ => depth,
    })
}
