//! Lines of a sequence diagram: messages in the direction of their arrows, notes and blocks.

use super::{
    Edge, Reading,
    plain::{label, words},
};

const BLOCKS: [&str; 13] = [
    "loop", "alt", "else", "opt", "par", "par_over", "and", "critical", "option", "break", "rect", "elseif",
    "elif",
];

/// Arrows, the longest first, with the head that points to the left and to the right.
const ARROWS: [(&str, &str, &str); 20] = [
    ("<<-->>", ">", ">"),
    ("<<->>", ">", ">"),
    ("<<--", ">", ""),
    ("<<-", ">", ""),
    ("-->>", "", ">"),
    ("->>", "", ">"),
    ("<-->", ">", ">"),
    ("<->", ">", ">"),
    ("<--", ">", ""),
    ("<-", ">", ""),
    ("--x", "", "x"),
    ("--)", "", ")"),
    ("-->", "", ">"),
    ("-x", "", "x"),
    ("-)", "", ")"),
    ("->", "", ">"),
    ("=>", "", ">"),
    ("→", "", ">"),
    ("-|\\", "", ">"),
    ("-|/", "", ">"),
];

pub(super) fn read(line: &str, reading: &mut Reading) {
    let (head, text) = line.split_once(':').unwrap_or((line, ""));
    let word = head.split_whitespace().next().unwrap_or_default().to_lowercase();
    let arrow = head.char_indices().find_map(|(at, _)| {
        ARROWS.iter().find(|(arrow, ..)| head[at..].starts_with(arrow)).map(|row| (at, row))
    });
    if let Some((at, (arrow, left, right))) = arrow.filter(|_| word != "note") {
        reading.label(text);
        for to in head[at + arrow.len()..].split(',') {
            reading.edge(Edge {
                from: words(&head[..at]),
                to: words(to),
                label: label(text),
                kind: ["", left, right],
                loose: false,
            });
        }
    } else if BLOCKS.contains(&word.as_str()) {
        reading.block(None, line.trim_end_matches('{'));
    } else if word == "note" {
        reading.label(text);
    }
}
