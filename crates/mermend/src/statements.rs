//! The statements of a diagram with what has to stand around each of them, so that it can be checked alone.

use std::ops::Range;

use crate::{document::Document, reading};

/// One statement. It is checked between `before` and `after`.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) range: Range<usize>,
    before: String,
    after: &'static str,
    /// It can be checked alone: nothing in it depends on another statement.
    pub(crate) stands_alone: bool,
    /// Blocks that it opens, less those that it closes.
    opens: i32,
}

/// The statements of a diagram; none where no statement of its kind can be read alone.
pub(crate) struct Statements {
    header: String,
    pub(crate) placed: Vec<Placed>,
}

impl Statements {
    pub(crate) fn read(document: &Document<'_>) -> Statements {
        let header = document.header().map_or("", |line| line.content().1);
        let (header, read): (&str, fn(&Document<'_>) -> Vec<Placed>) = match document.kind.map(|kind| kind.id)
        {
            Some("flowchart") => ("flowchart TD", flowchart),
            Some("sequence") => ("sequenceDiagram", sequence),
            Some("class") => ("classDiagram", |document| bodies(document, "class")),
            Some("er") => ("erDiagram", |document| bodies(document, "er")),
            Some("state") => ("stateDiagram-v2", |document| bodies(document, "state")),
            Some("pie" | "xychart" | "quadrant" | "journey" | "timeline") => (header, lines),
            _ => (header, |_| Vec::new()),
        };
        Statements { header: header.to_owned(), placed: read(document) }
    }

    /// A diagram of this statement alone.
    pub(crate) fn alone(&self, text: &str, placed: &Placed) -> String {
        format!("{}\n{}{}{}\n", self.header, placed.before, &text[placed.range.clone()], placed.after)
    }

    /// The statements that `range` touches.
    pub(crate) fn touched(&self, range: &Range<usize>) -> &[Placed] {
        let from = self.placed.partition_point(|placed| placed.range.end < range.start);
        let to = self.placed.partition_point(|placed| placed.range.start <= range.end);
        self.placed.get(from..to).unwrap_or_default()
    }

    /// How many blocks are not closed, or closed without being open.
    pub(crate) fn unbalanced(&self) -> usize {
        let (mut open, mut wrong) = (0_i32, 0_usize);
        for placed in &self.placed {
            open += placed.opens;
            if open < 0 {
                wrong += 1;
                open = 0;
            }
        }
        wrong + usize::try_from(open).unwrap_or_default()
    }
}

fn placed(range: Range<usize>) -> Placed {
    Placed { range, before: String::new(), after: "", stands_alone: true, opens: 0 }
}

fn between(range: Range<usize>, before: &str, after: &'static str) -> Placed {
    Placed { before: before.to_owned(), after, ..placed(range) }
}

fn lines(document: &Document<'_>) -> Vec<Placed> {
    document.body().map(|line| placed(line.range())).collect()
}

fn flowchart(document: &Document<'_>) -> Vec<Placed> {
    let Some(first) = document.body().next() else {
        return Vec::new();
    };
    let text = &document.text[first.start..];
    let mut found = Vec::new();
    for range in reading::statements(text) {
        if !document.spend(range.len() + 1) {
            break;
        }
        let content = &text[range.clone()];
        let start = first.start + range.start + content.len() - content.trim_start().len();
        let content = content.trim();
        let range = start..start + content.len();
        if content.is_empty() || document.is_closed(&(range.start..range.end)) {
            continue;
        }
        found.push(match content.split_whitespace().next().unwrap_or_default() {
            "subgraph" => Placed { opens: 1, ..between(range, "", "\nend") },
            "end" if content == "end" => Placed { opens: -1, ..between(range, "subgraph s\na\n", "") },
            "direction" => between(range, "subgraph s\n", "\na\nend"),
            "linkStyle" => Placed { stands_alone: false, ..placed(range) },
            _ => placed(range),
        });
    }
    found
}

fn sequence(document: &Document<'_>) -> Vec<Placed> {
    let place = |line: crate::document::Line<'_>| {
        let (range, content) = (line.range(), line.content().1);
        let word = content.split([' ', '\t', ';']).next().unwrap_or_default();
        match word {
            "loop" | "alt" | "opt" | "par" | "par_over" | "critical" | "break" | "rect" => {
                Placed { opens: 1, ..between(range, "", "\nA->>A: x\nend") }
            }
            "box" => Placed { opens: 1, ..between(range, "", "\nparticipant A\nend") },
            "else" => between(range, "alt x\nA->>A: x\n", "\nA->>A: x\nend"),
            "and" => between(range, "par x\nA->>A: x\n", "\nA->>A: x\nend"),
            "option" => between(range, "critical x\nA->>A: x\n", "\nA->>A: x\nend"),
            "end" if content == "end" => Placed { opens: -1, ..between(range, "opt x\nA->>A: x\n", "") },
            "create" | "destroy" | "link" | "links" | "properties" | "details" => {
                Placed { stands_alone: false, ..placed(range) }
            }
            // Only what is active can be deactivated.
            "deactivate" => between(range, &format!("activate {}\n", content[word.len()..].trim()), ""),
            _ => match content.split_once(':').unwrap_or((content, "")).0.split_once(">>-") {
                Some((from, _)) => {
                    between(range, &format!("activate {}\n", from.trim_end_matches('-').trim()), "")
                }
                None => placed(range),
            },
        }
    };
    document.body().map(place).collect()
}

/// Kinds whose blocks stand in braces.
fn bodies(document: &Document<'_>, kind: &str) -> Vec<Placed> {
    let mut found = Vec::new();
    // What has to stand around a line of each open body.
    let mut open: Vec<(&str, &'static str)> = Vec::new();
    let mut in_note = false;
    let last_end_note = document.text.rfind("end note").unwrap_or_default();
    for line in document.body() {
        let (range, content) = (line.range(), line.content().1);
        let around = open.last().copied().unwrap_or_default();
        let opens =
            content.ends_with('{') && !(kind == "er" && (content.contains("--") || content.contains("..")));
        if in_note {
            in_note = !content.eq_ignore_ascii_case("end note");
            found.push(Placed { stands_alone: false, ..placed(range) });
        } else if opens {
            let (inside, after) = match (kind, content.split_whitespace().next()) {
                ("class", Some("namespace")) => (("namespace s {\n", "\n}"), "\nclass A\n}"),
                ("class", _) => (("class A {\n", "\n}"), "\n}"),
                ("state", _) => (("", ""), "\n[*] --> a\n}"),
                _ => (("A {\n", "\n}"), "\n}"),
            };
            found.push(Placed { opens: 1, ..between(range, around.0, after) });
            if !around.0.is_empty() {
                // A class within a namespace: two bodies to close.
                if let Some(last) = found.last_mut() {
                    last.stands_alone = false;
                }
            }
            open.push(inside);
        } else if content == "}" {
            open.pop();
            let before = match kind {
                "class" => "class A {\n",
                "state" => "state A {\n[*] --> a\n",
                _ => "A {\n",
            };
            found.push(Placed { opens: -1, ..between(range, before, "") });
        } else {
            in_note = kind == "state"
                && content.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("note "))
                && !content.contains(':')
                && range.end < last_end_note;
            let stands_alone = !in_note;
            found.push(Placed { stands_alone, ..between(range, around.0, around.1) });
        }
    }
    found
}
