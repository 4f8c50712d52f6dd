//! Where a quoted piece of a text stands.
//!
//! Never answers with a range that is not in the text: what cannot be found has no place.

use blueprint::Span;

/// Finds `evidence` in `text`: exactly if possible, else without regard to case, blanks and punctuation.
pub fn locate(text: &str, evidence: &str) -> Vec<Span> {
    let wanted = evidence.trim();
    if wanted.is_empty() {
        return Vec::new();
    }
    let exact: Vec<Span> =
        text.match_indices(wanted).map(|(start, found)| Span { start, end: start + found.len() }).collect();
    if !exact.is_empty() {
        return exact;
    }
    let needle: Vec<char> = folded(wanted).map(|(c, _, _)| c).collect();
    if needle.is_empty() {
        return Vec::new();
    }
    let hay: Vec<(char, usize, usize)> = folded(text).collect();
    let mut out = Vec::new();
    let table = failure(&needle);
    let mut matched = 0;
    for (at, (c, _, end)) in hay.iter().enumerate() {
        while matched > 0 && needle.get(matched) != Some(c) {
            matched = table.get(matched - 1).copied().unwrap_or(0);
        }
        if needle.get(matched) == Some(c) {
            matched += 1;
        }
        if matched == needle.len() {
            let first = at + 1 - matched;
            let whole = boundary(text, hay.get(first).map_or(0, |h| h.1), *end);
            if whole && let Some((_, start, _)) = hay.get(first) {
                out.push(Span { start: *start, end: *end });
            }
            matched = 0;
        }
    }
    out
}

/// Letters and digits in lower case, each with the bytes it came from.
fn folded(text: &str) -> impl Iterator<Item = (char, usize, usize)> + '_ {
    text.char_indices()
        .filter(|(_, c)| c.is_alphanumeric())
        .flat_map(|(at, c)| c.to_lowercase().map(move |low| (low, at, at + c.len_utf8())))
}

/// Whether a range neither starts nor ends inside of a word.
fn boundary(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|t| t.chars().next_back());
    let after = text.get(end..).and_then(|t| t.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// The table of Knuth, Morris and Pratt: how much of the needle is still matched after a miss. Keeps the search linear.
fn failure(needle: &[char]) -> Vec<usize> {
    let mut table = vec![0; needle.len()];
    let mut matched = 0;
    for at in 1..needle.len() {
        while matched > 0 && needle.get(at) != needle.get(matched) {
            matched = table.get(matched - 1).copied().unwrap_or(0);
        }
        if needle.get(at) == needle.get(matched) {
            matched += 1;
        }
        if let Some(entry) = table.get_mut(at) {
            *entry = matched;
        }
    }
    table
}
