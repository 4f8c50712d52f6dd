//! The statements of a flowchart, by their arrows alone: what stands between two arrows is a node, whatever its shape.

use std::ops::Range;

use super::{
    Edge, Reading,
    plain::{comment, label, outside, words},
};

/// Statements without edges.
const KEYWORDS: [&str; 8] =
    ["style", "linkStyle", "classDef", "class", "click", "direction", "accTitle", "accDescr"];

/// An arrow and the label behind it.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) range: Range<usize>,
    /// Between pipes.
    label: Option<Range<usize>>,
    /// A pipe opens a label that is not closed.
    open_label: bool,
    /// `x` or `o` as the head at an end.
    crosses: [Option<&'static str>; 2],
}

/// The ranges of the statements of `text`.
pub(crate) fn statements(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut line_start = 0;
    while line_start < text.len() {
        let mut end = text[line_start..].find('\n').map_or(text.len(), |at| line_start + at);
        // A quoted label may go on in the next lines.
        for _ in 0..12 {
            let odd = text[line_start..end].matches('"').count() % 2 == 1;
            let next = text.get(end + 1..).unwrap_or_default();
            if !odd || next.is_empty() {
                break;
            }
            let longer = next.find('\n').map_or(text.len(), |at| end + 1 + at);
            let closes = text[end + 1..longer].split_once('"').map(|(_, rest)| rest.trim_start());
            if !closes.is_none_or(|rest| rest.starts_with([']', ')', '}', '|', '/', '\\'])) {
                break;
            }
            end = longer;
            if closes.is_some() {
                break;
            }
        }
        if text[line_start..end].matches('"').count() % 2 == 1 {
            end = text[line_start..].find('\n').map_or(text.len(), |at| line_start + at);
        }
        let line = &text[line_start..end];
        let open = outside(line);
        let mut from = 0;
        for (at, _) in line.match_indices(';').filter(|(at, _)| open[*at]) {
            let entity = line[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric());
            if !(entity.len() < at && entity.ends_with(['#', '&'])) {
                found.push(line_start + from..line_start + at);
                from = at + 1;
            }
        }
        found.push(line_start + from..line_start + line.len());
        line_start = end + 1;
    }
    found
}

pub(super) fn read(text: &str, reading: &mut Reading) {
    for range in statements(text) {
        statement(text[range].trim(), reading);
    }
}

fn statement(text: &str, reading: &mut Reading) {
    let text = comment(text).map_or(text, |(at, _)| text[..at].trim_end());
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if word == "subgraph" {
        let rest = rest.trim();
        let id = rest.find(['[', '(']).map(|at| rest[..at].trim()).filter(|id| !id.is_empty());
        reading.block(id.filter(|_| rest.contains('[')), rest);
        return;
    }
    let arrows = connectors(text);
    let begins_with_arrow = arrows.first().is_some_and(|arrow| text[..arrow.range.start].trim() == word);
    if KEYWORDS.contains(&word) && !begins_with_arrow {
        return;
    }
    let end = |at: usize| arrows.get(at).map_or(text.len(), |next| next.range.start);
    let behind = |at: usize| match &arrows[at].label {
        Some(label) => label.end + 1,
        None => arrows[at].range.end,
    };
    nodes(&text[..end(0)], reading);
    let mut from = &text[..end(0)];
    let mut at = 0;
    while at < arrows.len() {
        let (first, mut last) = (at, at);
        let mut said = arrows[at].label.clone().map_or("", |label| &text[label]);
        // `-- text -->`
        if is_opener(&text[arrows[at].range.clone()])
            && arrows[at].label.is_none()
            && at + 1 < arrows.len()
            && !text[behind(at)..end(at + 1)].trim().is_empty()
        {
            said = &text[behind(at)..end(at + 1)];
            last = at + 1;
        }
        let target = text[behind(last)..end(last + 1)].trim_start_matches('>');
        let (target, colon) = match colon(target).filter(|_| said.is_empty()) {
            Some(colon) => (&target[..colon], &target[colon + 1..]),
            None => (target, ""),
        };
        let said = if said.is_empty() { colon } else { said };
        nodes(target, reading);
        reading.label(said);
        let loose = arrows[last].open_label || (said.is_empty() && unpaired_pipe(target));
        reading.edge(Edge {
            from: words(from),
            to: words(target),
            label: label(said),
            kind: kind(text, &arrows[first], &arrows[last]),
            loose,
        });
        from = target;
        at = last + 1;
    }
}

/// The colon before `text` in `B : text`.
fn colon(target: &str) -> Option<usize> {
    let open = outside(target);
    let single = |at: usize| !target[..at].ends_with(':') && !target[at + 1..].starts_with(':');
    target.match_indices(':').map(|(at, _)| at).find(|at| open[*at] && single(*at))
}

fn unpaired_pipe(target: &str) -> bool {
    let open = outside(target);
    target.match_indices('|').filter(|(at, _)| open[*at]).count() % 2 == 1
}

/// The labels of nodes that are joined by `&`.
fn nodes(text: &str, reading: &mut Reading) {
    for node in text.split(" & ") {
        let open = outside(node);
        let Some(from) = open.iter().position(|open| !open).filter(|from| node.is_char_boundary(*from))
        else {
            continue;
        };
        let id = words(&node[..from]).join(" ");
        reading.label(&node[from..]);
        reading.names.entry(id).or_insert_with(|| words(&node[from..]));
    }
}

/// An arrow without a head that may begin `-- text -->`.
fn is_opener(arrow: &str) -> bool {
    matches!(arrow.trim_start_matches('<'), "--" | "==" | "-.")
}

/// Every arrow of a statement, outside of quotes, brackets and labels between pipes.
pub(crate) fn connectors(text: &str) -> Vec<Connector> {
    let open = outside(text);
    let mut found: Vec<Connector> = Vec::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let step = character.len_utf8();
        if !open[at] {
            at += step;
            continue;
        }
        let (length, is_arrow) = run(&text[at..]);
        if !is_arrow {
            at += length.max(step);
            continue;
        }
        let mut range = at..at + length;
        let rest = &text[range.end..];
        let (head, after) = (rest.chars().next(), rest.get(1..).unwrap_or_default());
        let stands_alone = after.starts_with(|c: char| c.is_whitespace() || c == '|');
        let mut crosses = [None, None];
        if let Some(sign) = head.and_then(cross).filter(|_| stands_alone && !after.trim().is_empty()) {
            crosses[1] = Some(sign);
            range.end += 1;
        }
        let before = &text[found.last().map_or(0, |last| last.range.end)..at];
        if let Some(sign) = before.chars().next_back().and_then(cross)
            && before[..before.len() - 1].ends_with(|c: char| c.is_whitespace() || "])}\"".contains(c))
            && !before[..before.len() - 1].trim().is_empty()
        {
            crosses[0] = Some(sign);
            range.start -= 1;
        }
        let gap = text[range.end..].len() - text[range.end..].trim_start().len();
        let (mut label, mut open_label) = (None, false);
        at = range.end;
        if text[range.end + gap..].starts_with('|') {
            let start = range.end + gap + 1;
            let inner = &text[start..];
            let closing = inner.find('|').filter(|end| {
                let said = inner[..*end].trim_end();
                let tail = said.rfind(|c: char| !is_run(c)).map_or(0, |at| at + 1);
                // The pipe opens the label of the next arrow.
                !(said.is_char_boundary(tail) && run(&said[tail..]).1)
            });
            match closing {
                Some(length) => {
                    label = Some(start..start + length);
                    at = start + length + 1;
                }
                None => open_label = true,
            }
        }
        found.push(Connector { range, label, open_label, crosses });
    }
    found
}

fn cross(character: char) -> Option<&'static str> {
    match character {
        'x' => Some("x"),
        'o' => Some("o"),
        _ => None,
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '=' | '—' | '–' | '−')
}

fn is_run(c: char) -> bool {
    is_dash(c) || matches!(c, '.' | '~' | '<' | '>' | '→' | '←' | '⟶' | '⇒')
}

/// How long the signs of arrows are that `text` begins with, and whether they are one.
fn run(text: &str) -> (usize, bool) {
    let mut length = 0;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        let dot = c == '.' && (matches!(last, '-' | '.') || next == '-' || (next == '.' && at == 0));
        let stops = !is_run(c) || (c == '.' && !dot);
        // `>` ends an arrow, except of another `>`.
        if stops || (last == '>' && c != '>') {
            break;
        }
        length = at + c.len_utf8();
        last = c;
    }
    let signs = &text[..length];
    if text[length..].starts_with("|>") && signs.ends_with('-') {
        return (length + 2, true);
    }
    let dashes = signs.chars().filter(|c| is_dash(*c)).count();
    let pointed = ["->", "=>", "—>", "–>", "−>", "<-", "-.", ".-"].iter().any(|sign| signs.contains(sign));
    (length, dashes >= 2 || pointed || signs.starts_with("~~~") || signs.contains(['→', '←', '⟶', '⇒']))
}

fn kind(text: &str, first: &Connector, last: &Connector) -> [&'static str; 3] {
    let (begin, end) = (&text[first.range.clone()], &text[last.range.clone()]);
    let stroke = if end.contains(['=', '⇒']) {
        "thick"
    } else if end.contains('~') {
        "invisible"
    } else if end.contains('.') {
        "dotted"
    } else {
        "normal"
    };
    let left = if begin.starts_with(['<', '←']) { ">" } else { first.crosses[0].unwrap_or_default() };
    let right =
        if end.ends_with(['>', '→', '⟶', '⇒']) { ">" } else { last.crosses[1].unwrap_or_default() };
    [stroke, left, right]
}
