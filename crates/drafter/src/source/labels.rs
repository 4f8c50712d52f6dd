//! What stands before the words of a line: bullets, numbers, labels of requirements, the opening of a story.
//!
//! Answers with lengths in bytes; never changes a line.

/// Whether a cell has only a number or label: `FR-1`, `High`.
pub(super) fn label_only(text: &str) -> bool {
    label_len(&format!("{text} X")) > text.len()
        || matches!(
            text.to_lowercase().as_str(),
            "must" | "should" | "could" | "high" | "medium" | "low" | "won't"
        )
}

/// Whether a label says that the line is about quality: `NFR-3`.
pub(super) fn quality_label(text: &str) -> bool {
    ["NFR", "QR", "NF-", "NF0", "NF1"]
        .iter()
        .any(|begin| text.trim_start_matches(['[', '(', '/', '-', ' ', '*']).starts_with(begin))
}

/// Where `As a …, I …` starts in a line, behind a label at most.
pub(super) fn story_start(line: &str) -> Option<usize> {
    let lower: String = line.chars().take(80).map(|c| c.to_ascii_lowercase()).collect();
    let opens = |rest: &str| {
        let rest = rest.strip_prefix("as").unwrap_or("-");
        let rest = rest.trim_start_matches([':', ' ']);
        ["a ", "an ", "the ", "a: ", "a/an "].iter().any(|article| rest.starts_with(article))
    };
    let wish = |rest: &str| {
        [" i ", " i'", "i want", " we ", "i can"].iter().any(|w| rest.contains(w))
            || rest.split_whitespace().count() <= 8
    };
    let ends_label = |before: &str| {
        let before = before.trim_end();
        before.is_empty() || before.ends_with([':', '-', '–', '—', '.', ')', ']', '|', '"', '“', '»', '>'])
    };
    lower
        .match_indices("as")
        .map(|(at, _)| at)
        .take(8)
        .find(|at| {
            let (before, rest) = lower.split_at_checked(*at).unwrap_or(("x", ""));
            ends_label(before) && opens(rest) && wish(&line.get(*at..).unwrap_or("").to_lowercase())
        })
        .filter(|at| line.is_char_boundary(*at))
}

/// Whether a line goes on with the story above it.
pub(super) fn goes_on_story(line: &str) -> bool {
    let lower: String = line.chars().take(14).flat_map(char::to_lowercase).collect();
    ["i ", "i'", "we ", "so that", "so i", "so we", "in order", "because", "to ", "and ", "want"]
        .iter()
        .any(|begin| lower.starts_with(begin))
}

/// How many bytes of a trimmed line are its bullet, number and label.
pub(super) fn bullet_len(line: &str) -> usize {
    let mut rest = line;
    for mark in ["- ", "* ", "+ ", "• ", "– ", "— ", "· ", "▪ ", "◦ ", "‣ ", "-\t", "*\t", "•\t", "-   "]
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
    rest = rest.get(label_len(rest)..).unwrap_or(rest);
    line.len() - rest.len()
}

/// How many bytes of a line are its number or label: `1. `, `(a) `, `R12: `, `FR-8 `, `[REQ-3] `, `Step 4: `.
pub(super) fn label_len(line: &str) -> usize {
    let lower: String = line.chars().take(12).map(|c| c.to_ascii_lowercase()).collect();
    if let Some(word) = ["step ", "phase ", "stage "].iter().find(|w| lower.starts_with(**w)) {
        let tail = line.get(word.len()..).unwrap_or("");
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let after = tail.get(digits..).unwrap_or("");
        if digits > 0
            && after.starts_with([':', '.', ')', '-', ' '])
            && !after.trim_start().starts_with(char::is_lowercase)
        {
            let rest = after.trim_start_matches([':', '.', ')', '-', '–', ' ']);
            return line.len() - rest.len();
        }
    }
    let open = line.strip_prefix(['(', '[', '/']).unwrap_or(line);
    let bracketed = open.len() != line.len();
    let label: usize = open
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .map(char::len_utf8)
        .sum();
    let (head, tail) = open.split_at_checked(label).unwrap_or(("", open));
    let core = head.trim_end_matches(['.', '-']);
    let digits = core.chars().any(|c| c.is_ascii_digit());
    let reference = is_reference(core);
    let numbered = !core.is_empty()
        && core.len() <= 12
        && (core.chars().all(|c| c.is_ascii_digit() || c == '.')
            || core.len() == 1
            || is_roman(core)
            || reference);
    let closed = head.ends_with('.') && core.len() + 1 == head.len()
        || tail.starts_with([')', ']'])
        || bracketed && tail.starts_with('/')
        || tail.starts_with(':') && digits
        || tail.trim_start().starts_with(['-', '–', '—', '|']) && reference;
    let after = tail.trim_start_matches([')', ']', ':', '/']);
    let next = after.trim_start_matches([' ', '\t', '-', '–', '—', '|']);
    // `FR-8 Administrators …`: without a mark, only what looks like a label of a list is one.
    let bare = reference
        && (core.contains(['-', '_']) || core.chars().take_while(char::is_ascii_uppercase).count() > 1)
        && next.chars().next().is_some_and(char::is_uppercase)
        || core.contains('.')
            && core.chars().all(|c| c.is_ascii_digit() || c == '.')
            && next.chars().next().is_some_and(char::is_uppercase);
    if numbered && (closed || bare) && after.starts_with([' ', '\t']) { line.len() - next.len() } else { 0 }
}

/// Small Roman numbers.
fn is_roman(label: &str) -> bool {
    label.len() <= 4 && label.chars().all(|c| matches!(c, 'i' | 'v' | 'x'))
}

/// Labels of requirements such as `R12`, `FR-3`, `REQ_1.2`, `SRS-LOGIN-4`.
fn is_reference(label: &str) -> bool {
    let letters = label.chars().take_while(char::is_ascii_uppercase).count();
    let end = label.chars().last().is_some_and(|c| c.is_ascii_digit());
    (1..=6).contains(&letters)
        && end
        && label
            .chars()
            .skip(letters)
            .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || matches!(c, '-' | '_' | '.'))
}
