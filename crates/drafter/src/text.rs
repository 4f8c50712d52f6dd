//! Sentences and words of a text, as byte ranges.
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

/// One sentence, list item or heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Its words, without the bullet and without surrounding blanks.
    pub(crate) span: Span,
    /// Whether a bullet or a number stood before it.
    pub(crate) item: bool,
}

/// Abbreviations that end in a dot and do not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "etc", "mr", "mrs", "ms", "dr", "prof", "vs", "no", "nr", "fig", "approx", "incl", "excl",
    "resp", "st", "e.g.,", "cf", "inc", "ltd", "co", "corp", "dept", "min", "max", "ca", "eg", "ie", "jr",
    "sr", "al",
];

/// No sentence is analysed beyond this many bytes at once, so that the work stays linear.
const MAX_SENTENCE_BYTES: usize = 2_000;

/// Cuts a text into sentences, list items and headings.
pub(crate) fn split_sentences(text: &str) -> Vec<Sentence> {
    let mut out = Vec::new();
    let mut block: Option<Span> = None;
    let mut item = false;
    let mut offset = 0;
    for line in text.split_inclusive(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let start = offset;
        offset += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() {
            flush(text, &mut out, &mut block, item);
            item = false;
            continue;
        }
        let lead = line.len() - line.trim_start().len();
        let bullet = bullet_len(trimmed);
        let body = Span { start: start + lead + bullet, end: start + lead + trimmed.len() };
        let joined = bullet == 0
            && block.is_some_and(|open| continues(text.get(open.start..open.end).unwrap_or(""), trimmed));
        match (&mut block, joined) {
            (Some(open), true) => open.end = body.end,
            _ => {
                flush(text, &mut out, &mut block, item);
                item = bullet > 0;
                block = Some(body);
            }
        }
    }
    flush(text, &mut out, &mut block, item);
    out
}

/// Whether a line goes on with what the lines before began (hard-wrapped text).
fn continues(before: &str, line: &str) -> bool {
    let last_line = before.rsplit(['\n', '\r']).next().unwrap_or(before).trim_end();
    if last_line.ends_with(['.', '!', '?', ':', ';']) {
        return false;
    }
    if line.chars().next().is_some_and(|c| c.is_lowercase() || matches!(c, '(' | ','))
        || last_line.ends_with([',', '-', '('])
    {
        return true;
    }
    let story = line.get(..5).is_some_and(|s| {
        s.eq_ignore_ascii_case("as a ") || s.eq_ignore_ascii_case("as an") || s.eq_ignore_ascii_case("as th")
    });
    // Long lines without a full stop are wrapped prose; short ones are headings or items.
    !story && last_line.chars().count() >= 60
}

/// How many bytes of a trimmed line are its bullet or number.
fn bullet_len(line: &str) -> usize {
    let mut rest = line;
    for mark in ["- ", "* ", "+ ", "• ", "– ", "— ", "· ", "▪ ", "◦ ", "‣ ", "-\t", "*\t", "•\t"]
    {
        if let Some(after) = rest.strip_prefix(mark) {
            rest = after.trim_start();
            break;
        }
    }
    let hashes = rest.trim_start_matches('#');
    if hashes.len() != rest.len() && hashes.starts_with(' ') {
        rest = hashes.trim_start();
    }
    let open = rest.strip_prefix('(').unwrap_or(rest);
    let label: usize =
        open.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').map(char::len_utf8).sum();
    let (head, tail) = open.split_at_checked(label).unwrap_or(("", open));
    let core = head.trim_end_matches('.');
    let numbered = !core.is_empty()
        && core.len() <= 8
        && (core.chars().all(|c| c.is_ascii_digit() || c == '.')
            || core.len() == 1
            || is_roman(core)
            || is_reference(core));
    let closed = head.ends_with('.') && core.len() + 1 == head.len()
        || tail.starts_with(')')
        || tail.starts_with(':') && core.chars().any(|c| c.is_ascii_digit());
    if numbered && closed {
        let after = tail.strip_prefix([')', ':']).unwrap_or(tail);
        if after.starts_with([' ', '\t']) {
            rest = after.trim_start();
        }
    }
    line.len() - rest.len()
}

/// Small Roman numbers.
fn is_roman(label: &str) -> bool {
    label.len() <= 4 && label.chars().all(|c| matches!(c, 'i' | 'v' | 'x'))
}

/// Numbers of requirements such as `R12` or `FR3`.
fn is_reference(label: &str) -> bool {
    let letters = label.chars().take_while(char::is_ascii_uppercase).count();
    (1..=4).contains(&letters)
        && label.chars().skip(letters).all(|c| c.is_ascii_digit())
        && label.len() > letters
}

/// Cuts the open block into sentences.
fn flush(text: &str, out: &mut Vec<Sentence>, block: &mut Option<Span>, item: bool) {
    let Some(span) = block.take() else { return };
    let Some(body) = text.get(span.start..span.end) else {
        return;
    };
    let mut first = true;
    let mut push = |from: usize, to: usize| {
        let Some(piece) = body.get(from..to) else { return };
        let lead = piece.len() - piece.trim_start().len();
        let start = span.start + from + lead;
        let end = start + piece.trim().len();
        if end > start {
            out.push(Sentence { span: Span { start, end }, item: item && first });
            first = false;
        }
    };
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
            out.push(Token {
                span: place(len),
                lower: "'s".to_owned(),
                kind: TokenKind::Genitive,
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
        let mut lower = raw.to_lowercase().replace('’', "'");
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
            capital: c.is_uppercase(),
            shouted: shouted && !all_shouted,
        });
        at += whole;
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
