//! Lines of class, ER and state diagrams: two names with an arrow between them, bodies in braces, attributes.

use super::{
    Edge, Reading,
    plain::{label, outside, words},
};

pub(super) fn read(kind: &str, line: &str, reading: &mut Reading) {
    let arrows = arrows(kind, line);
    if arrows.is_empty() {
        statement(kind, line, reading);
        return;
    }
    let last = arrows.last().map_or(0, |arrow| arrow.1);
    let open = outside(line);
    let single = |at: usize| !line[..at].ends_with(':') && !line[at + 1..].starts_with(':');
    let colon = line
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| *at >= last && open[*at] && single(*at))
        .unwrap_or(line.len());
    let said = line.get(colon + 1..).unwrap_or_default();
    let mut from = &line[..arrows[0].0];
    for (at, (start, end)) in arrows.iter().enumerate() {
        let next = arrows.get(at + 1).map_or(colon, |next| next.0);
        let mut to = line[*end..next].trim_start();
        let mut label_text = if next == colon { said } else { "" };
        if let Some((piped, rest)) = to.strip_prefix('|').and_then(|inner| inner.split_once('|')) {
            (label_text, to) = (piped, rest);
        }
        reading.label(label_text);
        let arrow = &line[*start..*end];
        let (from_words, to_words, kind) = match kind {
            "er" => entities(from, arrow, to),
            _ => (words(from), words(to), heads(arrow)),
        };
        reading.edge(Edge { from: from_words, to: to_words, label: label(label_text), kind, loose: false });
        from = to;
    }
}

fn statement(kind: &str, line: &str, reading: &mut Reading) {
    if let Some(name) = line.strip_suffix('{') {
        reading.block(None, name);
        return;
    }
    // A text in quotes is drawn: a comment, a note, a label.
    let quoted = line.split('"').skip(1).step_by(2);
    if line.matches('"').count() % 2 == 0 && !(kind == "er" && quoted_name(line)) {
        quoted.for_each(|text| reading.label(text));
    }
    // The size of a type.
    if kind == "er"
        && let Some((open, close)) = line.find('(').zip(line.find(')'))
        && open < close
    {
        reading.label(&line[open..close]);
    }
}

/// A type and a name in quotes, with nothing else.
fn quoted_name(line: &str) -> bool {
    line.find('"').is_some_and(|at| line[..at].split_whitespace().count() < 2)
}

/// Where the arrows of a line begin and end.
fn arrows(kind: &str, line: &str) -> Vec<(usize, usize)> {
    let open = outside_backticks(line);
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let before = line[..at].chars().next_back().unwrap_or(' ');
        let after = |length: usize| rest[length..].chars().next().unwrap_or(' ');
        // In an entity, `FK -> CLIENT.id` is a comment.
        let cores: &[&str] =
            if kind == "er" { &["--", ".."] } else { &["--", "..", "->", "<-", "=>", "→"] };
        let core = cores.iter().find(|core| rest.starts_with(**core)).filter(|core| {
            let number = before.is_ascii_digit() || after(core.len()).is_ascii_digit();
            let count = number || (matches!(after(2), '*' | 'n') && before != ' ');
            !(**core == ".." && (count || kind == "state"))
        });
        let half = ["-o ", "-* ", "-|>", "o- ", "*- "].iter().any(|half| rest.starts_with(half));
        let touches = before == ' ' || "<|*o".contains(before);
        if !open[at] || (core.is_none() && !(kind == "class" && half && touches)) {
            at += c.len_utf8();
            continue;
        }
        let mut start = at;
        // The head at the left; a letter only where it stands by itself.
        while let Some(c) = line[..start].chars().next_back().filter(|c| "<|*>o}{".contains(*c)) {
            let alone = line[..start - 1].ends_with([' ', '"', '|', '}', '{']) || start == 1;
            if (c == 'o' && !alone)
                || (matches!(c, '{' | '}') && kind != "er")
                || found.last().is_some_and(|f| f.1 >= start)
            {
                break;
            }
            start -= 1;
        }
        let mut end = at + core.map_or(1, |core| core.len());
        while let Some(c) = line[end..].chars().next().filter(|c| "-.=>|*o{}<".contains(*c)) {
            let tail = &line[end + 1..];
            let piped = c == '|' && kind != "er" && !tail.starts_with('>');
            let letter = c == 'o' && tail.starts_with(|c: char| c.is_alphanumeric());
            let dot = c == '.' && line[..end].ends_with('-');
            let brace = matches!(c, '{' | '}') && kind != "er";
            if piped || letter || dot || brace {
                break;
            }
            end += 1;
        }
        found.push((start, end));
        at = end;
    }
    found
}

/// Outside of quotes, parentheses and backticks. Braces are heads of arrows.
fn outside_backticks(line: &str) -> Vec<bool> {
    let mut open = outside(&line.replace(['{', '}'], " "));
    let ticks: Vec<usize> = line.match_indices('`').map(|(at, _)| at).collect();
    for pair in ticks.chunks_exact(2) {
        open[pair[0]..=pair[1]].fill(false);
    }
    open
}

/// Stroke and heads of a relation of classes or a transition.
fn heads(arrow: &str) -> [&'static str; 3] {
    let head = |text: &str, turned: bool| match (text, turned) {
        ("<|", false) | ("|>", true) => "|>",
        ("<", false) | (">" | ">>", true) => ">",
        ("*", _) => "*",
        ("o" | "<>", _) => "o",
        ("", _) => "",
        _ => "?",
    };
    let core = |c: char| matches!(c, '-' | '.' | '=' | '→');
    let first = arrow.find(core).unwrap_or_default();
    let last =
        arrow.rfind(core).map_or(arrow.len(), |at| at + arrow[at..].chars().next().map_or(1, char::len_utf8));
    let stroke = if arrow.contains('.') { "dotted" } else { "normal" };
    let right = if arrow.contains('→') { ">" } else { head(&arrow[last..], true) };
    [stroke, head(&arrow[..first], false), right]
}

/// The names at the ends of a relation of entities, and how many of each.
fn entities(from: &str, arrow: &str, to: &str) -> (Vec<String>, Vec<String>, [&'static str; 3]) {
    let (from, to) = (from.trim(), to.trim());
    let (name, left) = from.split_once(char::is_whitespace).unwrap_or((from, ""));
    let (right, target) = to.rsplit_once(char::is_whitespace).unwrap_or(("", to));
    let core = |c: char| matches!(c, '-' | '.');
    let first = arrow.find(core).unwrap_or_default();
    let last = arrow.rfind(core).map_or(arrow.len(), |at| at + 1);
    let left = format!("{}{}", left.trim(), &arrow[..first]);
    let right = format!("{}{}", &arrow[last..], right.trim());
    let stroke = if arrow.contains('.') { "dotted" } else { "normal" };
    (words(name), words(target), [stroke, count(&left), count(&right)])
}

fn count(written: &str) -> &'static str {
    match written.trim_matches('"') {
        "||" | "1" => "1",
        "|o" | "o|" | "0..1" => "0..1",
        "}o" | "o{" | "{o" | "o}" | "*" | "n" | "m" | "N" | "M" | "0..*" | "0..n" => "0..n",
        "}|" | "|{" | "{|" | "|}" | "1..*" | "1..n" => "1..n",
        _ => "?",
    }
}
