//! The arrows of a flowchart: Mermaid's own, and those of other notations.
//!
//! Only looks at what a text begins with; where an arrow may stand is the matter of `scan.rs`.

pub(super) enum Arrow {
    /// A link, and what it should be if it is none of Mermaid's.
    Whole(Option<&'static str>),
    /// The first part of `-- text -->`.
    Start(char),
    /// `<-`: its only head is at the left.
    Left,
}

/// The arrow that `rest` begins with, and its length. `before` is the character that it touches.
pub(super) fn arrow(rest: &str, before: Option<char>) -> Option<(usize, Arrow)> {
    const WRONG: [(&str, &str); 16] = [
        ("-->>", "-->"),
        ("->>", "-->"),
        ("-|>", "-->"),
        ("=>", "==>"),
        ("->", "-->"),
        ("—>", "-->"),
        ("–>", "-->"),
        ("−>", "-->"),
        ("-→", "-->"),
        ("—→", "-->"),
        ("→", "-->"),
        ("⟶", "-->"),
        ("⇒", "==>"),
        ("–→", "-->"),
        ("--|>", "-->"),
        ("--→", "-->"),
    ];
    let head = rest.chars().next().filter(|c| *c == '<' || (matches!(c, 'x' | 'o') && before.is_none()));
    let (skip, body) = match head {
        Some(c)
            if rest[1..].starts_with("--") || rest[1..].starts_with("==") || rest[1..].starts_with("-.") =>
        {
            (c.len_utf8(), &rest[1..])
        }
        _ => (0, rest),
    };
    if let Some(tail) = rest.strip_prefix("<-")
        && !tail.starts_with(['-', '.', '>'])
    {
        return Some((2, Arrow::Left));
    }
    for (wrong, right) in WRONG {
        if rest.starts_with(wrong) {
            return Some((wrong.len(), Arrow::Whole(Some(right))));
        }
    }
    if body.starts_with("~~~") {
        return Some((body.len() - body.trim_start_matches('~').len(), Arrow::Whole(None)));
    }
    for stroke in ['-', '='] {
        if let Some((length, should_be)) = dashes(body, stroke) {
            return Some((skip + length, Arrow::Whole(should_be)));
        }
        if body.starts_with(stroke) && body[1..].starts_with(stroke) {
            return Some((skip + 2, Arrow::Start(stroke)));
        }
    }
    if let Some(dotted) = body.strip_prefix('-') {
        if let Some((length, should_be)) = dots(dotted) {
            return Some((skip + 1 + length, Arrow::Whole(should_be)));
        }
        if dotted.starts_with('.') {
            return Some((skip + 2, Arrow::Start('.')));
        }
    }
    None
}

/// `-->`, `---`, `--x` and longer ones; also with one head too many.
pub(super) fn dashes(text: &str, stroke: char) -> Option<(usize, Option<&'static str>)> {
    let run = text.len() - text.trim_start_matches(stroke).len();
    let tail = &text[run..];
    if run < 2 {
        return None;
    }
    let right = if stroke == '-' { "-->" } else { "==>" };
    match tail.chars().next() {
        Some('>') => {
            let heads = tail.len() - tail.trim_start_matches('>').len();
            let right = if stroke == '-' && run > 2 { "--->" } else { right };
            Some((run + heads, (heads > 1).then_some(right)))
        }
        Some('|') if tail.starts_with("|>") => Some((run + 2, Some(right))),
        // In "--only text-->" the letter begins the label, although Mermaid reads it as a circle.
        Some('x' | 'o') if !begins_word(tail) => Some((run + 1, None)),
        _ if run >= 3 => Some((run, None)),
        _ => None,
    }
}

/// `.->`, `.-` and longer ones, after the first dash.
pub(super) fn dots(text: &str) -> Option<(usize, Option<&'static str>)> {
    let run = text.len() - text.trim_start_matches('.').len();
    let tail = text[run..].strip_prefix('-')?;
    if run == 0 {
        return None;
    }
    let heads = tail.len() - tail.trim_start_matches('>').len();
    let cross = tail.starts_with(['x', 'o']) && !begins_word(tail);
    let head = if heads == 0 { usize::from(cross) } else { heads };
    Some((run + 1 + head, (heads > 1).then_some("-.->")))
}

/// The letter that `text` begins with is the first of several.
fn begins_word(text: &str) -> bool {
    let mut rest = text.chars().skip(1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match rest.next() {
        Some('-') => rest.next().is_some_and(is_word),
        next => next.is_some_and(is_word),
    }
}
