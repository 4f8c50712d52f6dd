//! Words of a sentence, as byte ranges.
//!
//! Never changes the text and never cuts a character: every range starts and ends on a character boundary.

use blueprint::Span;

/// The kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Letters, possibly with digits, hyphens and dots of an abbreviation.
    Word,
    /// Digits.
    Number,
    /// The genitive ending: `'s` or `'`.
    Genitive,
    /// One character of anything else.
    Mark,
}

/// One word or mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where it stands.
    pub(crate) span: Span,
    /// In lower case, with straight apostrophes.
    pub(crate) lower: String,
    /// What it looks like.
    pub(crate) kind: TokenKind,
    /// Whether it starts with a capital letter.
    pub(crate) capital: bool,
    /// Whether it has only capital letters, and at least two: `IT` is not `it`.
    pub(crate) shouted: bool,
}

/// The words and marks of one sentence.
pub(crate) fn tokens(text: &str, span: Span) -> Vec<Token> {
    let Some(body) = text.get(span.start..span.end) else {
        return Vec::new();
    };
    let mut out: Vec<Token> = Vec::new();
    // In a heading of capitals they mean nothing.
    let all_shouted = !body.chars().any(char::is_lowercase);
    let mut at = 0;
    while let Some(rest) = body.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let place = |len: usize| Span { start: span.start + at, end: span.start + at + len };
        let genitive = matches!(c, '\'' | '’')
            && out.last().is_some_and(|t| t.kind == TokenKind::Word && t.span.end == span.start + at);
        if genitive && let Some(len) = genitive_len(rest, out.last()) {
            // `it's checked` has the verb `is`.
            let verb = out.last().is_some_and(|t| CONTRACTED.contains(&t.lower.as_str()));
            out.push(Token {
                span: place(len),
                lower: if verb { "is" } else { "'s" }.to_owned(),
                kind: if verb { TokenKind::Word } else { TokenKind::Genitive },
                capital: false,
                shouted: false,
            });
            at += len;
            continue;
        }
        let len = word_len(rest);
        if len == 0 {
            out.push(Token {
                span: place(c.len_utf8()),
                lower: c.to_string(),
                kind: TokenKind::Mark,
                capital: false,
                shouted: false,
            });
            at += c.len_utf8();
            continue;
        }
        let raw = rest.get(..len).unwrap_or("");
        // `OrderLine` is two words, as `order-line` is.
        let joined = is_camel(raw);
        let mut lower = if joined { hyphenated(raw) } else { raw.to_lowercase().replace('’', "'") };
        let kind = if raw.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',' | '-')) {
            TokenKind::Number
        } else {
            TokenKind::Word
        };
        let shouted = raw.chars().count() > 1 && raw.chars().all(|c| c.is_uppercase() || c.is_numeric());
        let mut whole = len;
        // `restaurant(s)` says one or several.
        if rest.get(len..).is_some_and(|after| after.starts_with("(s)")) {
            whole += 3;
            lower.push('s');
        }
        out.push(Token {
            span: place(whole),
            lower,
            kind,
            capital: c.is_uppercase() && !joined,
            shouted: shouted && !all_shouted,
        });
        at += whole;
    }
    out
}

/// Words after which `'s` is a verb.
const CONTRACTED: &[&str] = &["it", "he", "she", "there"];

/// Whether a word is written like `OrderLine`: several capital letters, each before small ones.
fn is_camel(raw: &str) -> bool {
    let humps =
        raw.chars().zip(raw.chars().skip(1)).filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count();
    let small = raw.chars().filter(|c| c.is_lowercase()).count();
    humps > 0 && small > humps + 1 && raw.chars().all(char::is_alphanumeric)
}

/// `OrderLine` -> `order-line`
fn hyphenated(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 2);
    let mut small = false;
    for c in raw.chars() {
        if small && c.is_uppercase() {
            out.push('-');
        }
        small = c.is_lowercase();
        out.extend(c.to_lowercase());
    }
    out
}

/// How long the genitive ending at the start of `rest` is; none for a quotation mark.
fn genitive_len(rest: &str, word: Option<&Token>) -> Option<usize> {
    let mut chars = rest.chars();
    let quote = chars.next()?.len_utf8();
    let second = chars.next();
    let third = chars.next();
    if second == Some('s') && third.is_none_or(|c| !c.is_alphanumeric()) {
        return Some(quote + 1);
    }
    let after_s = word.is_some_and(|t| t.lower.ends_with('s'));
    (after_s && second == Some(' ')).then_some(quote)
}

/// How long the word at the start of `rest` is; 0 if there is none.
fn word_len(rest: &str) -> usize {
    // `date/time` is one property, unlike `he/she`.
    if rest.get(..9).is_some_and(|w| w.eq_ignore_ascii_case("date/time"))
        && !rest.get(9..).and_then(|r| r.chars().next()).is_some_and(char::is_alphanumeric)
    {
        return 9;
    }
    let mut len = 0;
    let mut chars = rest.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let inside = previous.is_alphanumeric() && next.is_alphanumeric();
        let part = c.is_alphanumeric()
            || c == '_'
            || (matches!(c, '-' | '‑') && inside)
            || (c == '.' && inside && (previous.is_numeric() || next.is_lowercase()))
            || (c == ',' && previous.is_numeric() && next.is_numeric())
            || (matches!(c, '\'' | '’') && inside && !is_genitive_s(next, &chars));
        if !part {
            break;
        }
        len += c.len_utf8();
        previous = c;
    }
    // The last dot of `e.g.` belongs to it.
    if rest.get(..len).is_some_and(|w| w.contains('.') && w.chars().any(char::is_alphabetic))
        && rest.get(len..).is_some_and(|r| r.starts_with('.'))
    {
        len += 1;
    }
    len
}

/// Whether an apostrophe followed by `next` begins a genitive ending.
fn is_genitive_s(next: char, chars: &std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    next == 's' && chars.clone().nth(1).is_none_or(|c| !c.is_alphanumeric())
}
