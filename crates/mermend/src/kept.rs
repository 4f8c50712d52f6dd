//! What of a diagram is still there after a repair, by what can be read of it before and after (`reading`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::reading::{Edge, Reading};

/// What of a diagram is still there after a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// No id and no other word was lost.
    pub nodes: bool,
    /// Every edge has its ends, its direction and its label.
    pub edges: bool,
    /// No word and no sign of a label was lost.
    pub labels: bool,
    /// Every subgraph, body and block of messages has its id and its title.
    pub blocks: bool,
}

impl Kept {
    pub(crate) const ALL: Kept = Kept { nodes: true, edges: true, labels: true, blocks: true };

    pub(crate) fn everything(self) -> bool {
        self == Kept::ALL
    }

    pub(crate) fn and(self, other: Kept) -> Kept {
        Kept {
            nodes: self.nodes && other.nodes,
            edges: self.edges && other.edges,
            labels: self.labels && other.labels,
            blocks: self.blocks && other.blocks,
        }
    }
}

/// Words that a repair may drop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Droppable {
    /// Words that are grammar, in lower case.
    pub(crate) grammar: &'static [&'static str],
    /// A name may be replaced by another name of the same element.
    pub(crate) renames: bool,
}

/// Compares what was read before a repair with what is read after it.
pub(crate) fn compare(before: &Reading, after: &Reading, may_drop: Droppable) -> Kept {
    let lost = |word: &String, count: usize| {
        let wanted = if may_drop.renames { 1 } else { count };
        after.words.get(word).copied().unwrap_or(0) < wanted && !may_drop.grammar.contains(&word.as_str())
    };
    let words = !before.words.iter().any(|(word, count)| lost(word, *count));
    let labels = has_labels(&before.labels, &after.labels);
    let edges = in_order(&before.edges, &after.edges, |was, is| same_edge(was, is, after, may_drop));
    let blocks = in_order(&before.blocks, &after.blocks, |was, is| {
        was.words == is.words && (was.id.is_none() || was.id == is.id)
    });
    Kept { nodes: words, labels: words && labels, edges, blocks }
}

/// Whether each of `before` has one of `after` that fits, in the same order.
fn in_order<T>(before: &[T], after: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    let mut rest = after.iter();
    before.iter().all(|was| rest.by_ref().any(|is| fits(was, is)))
}

/// Whether each label is still there, whole or as the beginning of a longer one. Nodes may change places.
fn has_labels(before: &[String], after: &[String]) -> bool {
    let mut left: HashMap<&str, usize> = HashMap::new();
    after.iter().for_each(|label| *left.entry(label).or_default() += 1);
    let mut missing = Vec::new();
    for label in before {
        match left.get_mut(label.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(label),
        }
    }
    let mut rest = Vec::new();
    for label in after {
        if let Some(count) = left.get_mut(label.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            rest.push(label);
        }
    }
    in_order(&missing, &rest, |was, is| is.starts_with(was.as_str()))
}

fn same_edge(was: &Edge, is: &Edge, after: &Reading, may_drop: Droppable) -> bool {
    let same_kind = was.kind.iter().zip(is.kind).all(|(was, is)| *was == is || *was == "?" || is == "?");
    if !same_kind || !covers(&was.from, &is.from, after, may_drop) {
        return false;
    }
    if was.loose || is.loose {
        // The label is a part of the target in one of the two.
        let joined = |edge: &Edge| format!("{}{}", edge.label, edge.to.concat());
        let (was, is) = (sorted(&joined(was)), sorted(&joined(is)));
        return was == is;
    }
    covers(&was.to, &is.to, after, may_drop) && is.label.starts_with(&was.label)
}

/// The letters of a text, in an order that does not depend on where they stand.
fn sorted(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.sort_unstable();
    letters
}

/// The words of an end are those of the other, or of its label.
fn covers(was: &[String], is: &[String], after: &Reading, may_drop: Droppable) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let label = after.names.get(&is.join(" "));
    for word in is.iter().chain(label.into_iter().flatten()) {
        *counts.entry(word).or_default() += 1;
    }
    was.iter().filter(|word| !may_drop.grammar.contains(&word.as_str())).all(|word| {
        counts.get_mut(word.as_str()).filter(|count| **count > 0).map(|count| *count -= 1).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, before: &str, after: &str, want: [bool; 4]) {
        let read = |text| Reading::of_lines(Some(kind), text);
        let kept =
            compare(&read(before), &read(after), Droppable { grammar: &["note", "1"], renames: false });
        let got = [kept.nodes, kept.edges, kept.labels, kept.blocks];
        assert_eq!(got, want, "nodes, edges, labels, blocks of\n{before}\n->\n{after}\n{:?}", read(before));
    }

    #[test]
    fn what_is_lost_is_noticed() {
        const ALL: [bool; 4] = [true; 4];
        const LABEL_LOST: [bool; 4] = [true, false, false, true];
        let edges = [true, false, true, true];
        for (kind, before, after, want) in [
            ("flowchart", "A[a (b)] --> B", "A[\"a (b)\"] --> B", ALL),
            ("flowchart", "A --> B: pay (now)", "A -->|\"pay (now)\"| B", ALL),
            ("flowchart", "A -->|Yes B[Ship]", "A -->|Yes| B[Ship]", ALL),
            ("flowchart", "A --> Yes| B[Ship]", "A -->|Yes| B[Ship]", ALL),
            ("flowchart", "A --&gt; B", "A --> B", ALL),
            ("flowchart", "A <-- B", "B --> A", ALL),
            ("flowchart", "A <-- B", "A --- B", edges),
            ("flowchart", "A <--|x| B", "A ---|x| B", edges),
            ("flowchart", "A--only if-->B", "A-- only if -->B", ALL),
            ("flowchart", "A--only if paid-->B", "A--only_if_paid[\"only if paid\"]-->B", LABEL_LOST),
            ("flowchart", "A[one --> B[two]", "A[\"one --> B[two\"]", [true, false, false, true]),
            ("flowchart", "p---x", "p", [false, false, false, true]),
            ("flowchart", "A => B", "A ==> B", ALL),
            ("flowchart", "A -.-> B", "A --> B", edges),
            ("flowchart", "A --> B --> C", "A --> C --> B", edges),
            ("flowchart", "a b a", "a b", [false, true, false, true]),
            ("flowchart", "subgraph s [\"t (u)]", "subgraph s [\"t (u)\"]", ALL),
            ("flowchart", "subgraph s [\"t (u)]", "subgraph \"s [#quot;t (u)]\"", [true, true, true, false]),
            ("flowchart", "A[10,2] --> B", "A[10-2] --> B", [true, true, false, true]),
            ("sequence", "A <- B: x", "B-->>A: x", ALL),
            ("sequence", "A->>B,C: x", "A->>B: x\nA->>C: x", ALL),
            ("sequence", "A->>B: x; y", "A->>B: x#59; y", ALL),
            ("sequence", "A->>B: x", "B->>A: x", edges),
            ("sequence", "alt paid {", "alt paid", ALL),
            ("class", "A <|- B : is", "A <|-- B : is", ALL),
            ("class", "A <>-- B", "A o-- B", ALL),
            ("class", "A 1 --> 0..* B : has", "A \"1\" --> \"0..*\" B : has", ALL),
            ("class", "A <--|reads| B", "A <-- B : reads", ALL),
            ("class", "A <-- B", "A --> B", edges),
            ("class", "A *-- B", "A o-- B", edges),
            ("er", "A 1--* B : x", "A ||--o{ B : x", ALL),
            ("er", "A ||--{o B : x y", "A ||--o{ B : \"x y\"", ALL),
            ("er", "A ||--o{ B : x", "A }o--|| B : x", edges),
            ("er", "int id PK \"the id\"", "int_id_PK_the id", [true, true, false, true]),
            ("er", "decimal(10,2) x", "decimal(10-2) x", [true, true, false, true]),
            ("state", "A --> B --> C : x", "A --> B\nB --> C : x", ALL),
            ("state", "state A {", "state B {", [false, true, false, false]),
        ] {
            check(kind, before, after, want);
        }
    }
}
