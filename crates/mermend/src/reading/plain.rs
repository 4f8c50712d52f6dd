//! Words and labels as a reader sees them, whatever their quotes, entities and blanks.

/// Entities of HTML and of Mermaid, without their sign and semicolon.
const ENTITIES: [(&str, &str); 12] = [
    ("gt", ">"),
    ("lt", "<"),
    ("quot", "\""),
    ("amp", "&"),
    ("apos", "'"),
    ("nbsp", " "),
    ("34", "\""),
    ("39", "'"),
    ("60", "<"),
    ("62", ">"),
    ("59", ";"),
    ("45", "-"),
];

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// The text with plain quotes and blanks, and the signs that HTML escapes.
pub(super) fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        out.push(match c {
            '“' | '”' | '„' | '‟' | '″' => '"',
            '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => ' ',
            c => c,
        });
    }
    // Escaped twice: "&amp;gt;".
    decoded(&decoded(&out, "&"), "&")
}

/// Entities that begin with one of `signs` become the character that they stand for.
fn decoded(text: &str, signs: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c| signs.contains(c)) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let body = tail.strip_prefix('#').unwrap_or(tail);
        let length = body.bytes().take(9).take_while(u8::is_ascii_alphanumeric).count();
        let known = ENTITIES.iter().find(|(name, _)| *name == &body[..length]);
        match known.filter(|_| body[length..].starts_with(';')) {
            Some((_, sign)) => {
                out.push_str(sign);
                rest = &body[length + 1..];
            }
            None => {
                out.push_str(&rest[at..=at]);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The text of a label as it is drawn, without what only encloses it.
pub(super) fn label(text: &str) -> String {
    let text = decoded(text, "&#").replace("<br/>", "").replace("<br>", "").replace("<br />", "");
    let text = text.replace("\\n", "").replace("\\t", "");
    let encloses = |c: char| c.is_whitespace() || "\"'`“”„«»‘’[](){}\\".contains(c);
    text.chars().filter(|c| !encloses(*c)).flat_map(char::to_lowercase).collect()
}

/// The words of a text, in lower case. Entities and escaped line breaks are signs, not words.
pub(crate) fn words(text: &str) -> Vec<String> {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let broken = visible.replace("\\n", " ").replace("\\t", " ").replace("\\r", " ");
    let plain = without_entities(&broken);
    plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Entities such as `&gt;` and `#59;` become a space.
fn without_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '#']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let body = tail.strip_prefix('#').unwrap_or(tail);
        let length = body.bytes().take(9).take_while(u8::is_ascii_alphanumeric).count();
        let ends = length > 0 && body[length..].starts_with(';');
        out.push(' ');
        rest = if ends { &body[length + 1..] } else { tail };
    }
    out.push_str(rest);
    out
}

/// For each byte whether it stands outside of quotes and of brackets that come in pairs. A quote or bracket without its
/// partner encloses nothing.
pub(crate) fn outside(text: &str) -> Vec<bool> {
    let mut open = vec![true; text.len()];
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    if quotes.len().is_multiple_of(2) {
        for pair in quotes.chunks_exact(2) {
            open[pair[0]..=pair[1]].fill(false);
        }
    }
    let mut stack = Vec::new();
    let mut pairs = Vec::new();
    for (at, byte) in text.bytes().enumerate().filter(|(at, _)| open[*at]) {
        match byte {
            b'[' | b'(' | b'{' => stack.push(at),
            b']' | b')' | b'}' => pairs.extend(stack.pop().map(|from| (from, at))),
            _ => {}
        }
    }
    // Only the outermost pairs: each byte is filled once.
    pairs.sort_unstable();
    let mut done = 0;
    for (from, to) in pairs {
        if from >= done {
            open[from..=to].fill(false);
            done = to + 1;
        }
    }
    open
}

/// Where a comment behind a statement begins, in the notation of any language, and how long its mark is. In quotes, in
/// brackets, between pipes and behind a colon the same signs are text.
pub(crate) fn comment(text: &str) -> Option<(usize, usize)> {
    const MARKS: [&str; 3] = [" %% ", " // ", " # "];
    let open = outside(text);
    let single = |at: usize| !text[..at].ends_with(':') && !text[at + 1..].starts_with(':');
    let colon = text.match_indices(':').map(|(at, _)| at).find(|at| open[*at] && single(*at));
    let (mut pipes, mut seen) = (0, 0);
    let marks = text.char_indices().filter_map(|(at, _)| {
        MARKS.iter().find(|mark| text[at..].starts_with(**mark)).map(|mark| (at, mark.len()))
    });
    for (at, length) in marks.take_while(|(at, _)| colon.is_none_or(|colon| *at < colon)) {
        pipes += text[seen..at].match_indices('|').filter(|(pipe, _)| open[seen + pipe]).count();
        seen = at;
        if open[at] && pipes % 2 == 0 && !text[..at].trim().is_empty() {
            return Some((at, length));
        }
    }
    None
}
