//! Blocks to sentences.
//!
//! Never cuts a number, an abbreviation or what stands in brackets.

use blueprint::Span;

use crate::source::roles;
use crate::source::{Block, Implied, Role};

/// One sentence, list item or heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Its words, without the bullet and without surrounding blanks.
    pub(crate) span: Span,
    /// Whether a bullet or a number stood before it.
    pub(crate) item: bool,
    pub(crate) role: Role,
    /// How many headings stand before it.
    pub(crate) section: usize,
    pub(crate) implied: Vec<Implied>,
}

/// Abbreviations that end in a dot and do not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "etc", "mr", "mrs", "ms", "dr", "prof", "vs", "no", "nr", "fig", "approx", "incl", "excl",
    "resp", "st", "e.g.,", "cf", "inc", "ltd", "co", "corp", "dept", "min", "max", "ca", "eg", "ie", "jr",
    "sr", "al",
];

/// No sentence is analysed beyond this many bytes at once, so that the work stays linear.
const MAX_SENTENCE_BYTES: usize = 2_000;

/// Cuts a block into sentences.
pub(super) fn cut(text: &str, block: &Block) -> Vec<Sentence> {
    let span = block.span;
    let Some(body) = text.get(span.start..span.end) else {
        return Vec::new();
    };
    let mut out: Vec<Sentence> = Vec::new();
    let mut push = |from: usize, to: usize| {
        let Some(piece) = body.get(from..to) else { return };
        let lead = piece.len() - piece.trim_start().len();
        let start = span.start + from + lead;
        let end = start + piece.trim().len();
        if end > start {
            let drafted = matches!(block.role, Role::Statement | Role::Context | Role::Definition);
            let reason = drafted.then(|| roles::sentence(piece)).flatten();
            let role = reason.map_or(block.role, Role::Left);
            let implied = block.implied.iter().filter(|i| (start..end).contains(&i.at)).cloned().collect();
            out.push(Sentence {
                span: Span { start, end },
                item: block.item && out.is_empty(),
                role,
                section: block.section,
                implied,
            });
        }
    };
    if matches!(block.role, Role::Left(_)) {
        push(0, body.len());
        return out;
    }
    let mut from = 0;
    let mut depth = 0_usize;
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let long =
            at - from >= MAX_SENTENCE_BYTES && (c.is_whitespace() || at - from >= 2 * MAX_SENTENCE_BYTES);
        if long {
            push(from, at);
            (from, depth) = (at, 0);
            continue;
        }
        let ends = match c {
            '.' => depth == 0 && ends_sentence(body, from, at),
            '!' | '?' | '…' | '。' | '！' | '？' => depth == 0,
            _ => false,
        };
        if !ends {
            continue;
        }
        let mut to = at + c.len_utf8();
        while let Some((next, closing)) = chars.peek().copied() {
            if !matches!(closing, '"' | '\'' | '”' | '’' | ')' | '.' | '!' | '?') {
                break;
            }
            to = next + closing.len_utf8();
            chars.next();
        }
        // A sentence ends before blank space, not inside of `3.5` or `a.b`.
        if chars.peek().is_none_or(|(_, next)| next.is_whitespace() || !next.is_ascii()) {
            push(from, to);
            from = to;
        }
    }
    push(from, body.len());
    out
}

/// Whether the dot at `at` ends a sentence: not after an abbreviation, not before a small letter.
fn ends_sentence(body: &str, from: usize, at: usize) -> bool {
    let before = body.get(from..at).unwrap_or("");
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("");
    let next = body.get(at + 1..).and_then(|rest| rest.trim_start().chars().next());
    let lower = word.to_lowercase();
    if lower == "etc" || lower == "al" {
        return next.is_none_or(|c| c.is_uppercase());
    }
    if ABBREVIATIONS.contains(&lower.as_str())
        || (word.chars().count() == 1 && word.chars().all(char::is_uppercase))
    {
        return next.is_none();
    }
    next.is_none_or(|c| !c.is_lowercase())
}
