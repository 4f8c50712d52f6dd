//! What changed between two diagrams, by element, in words for people who do not read diffs.
//!
//! Order, layout and comments do not count. Kinds of which there is no outline are compared by line.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    kinds,
    outline::{Outline, OutlineEdge, OutlineNode, outline},
    repair::unified_diff,
};

/// More changes than this are not listed: two such diagrams have little to do with each other.
const MOST: usize = 1000;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Both say the same.
    pub same: bool,
    /// Elements were compared; if not, lines were, and only `diff` says what changed.
    pub by_element: bool,
    /// Each change, in the order of the new diagram; what was removed comes last.
    pub changes: Vec<Change>,
    /// The change of the text as a unified diff.
    pub diff: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What changed.
    pub element: ElementKind,
    /// What happened to it.
    pub how: How,
    /// Its id; for a line the two ids that it joins.
    pub id: String,
    /// The change in a sentence.
    pub message: String,
    /// How it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Parts of a diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ElementKind {
    /// A box: a class, a step, an actor.
    Node,
    /// A line.
    Edge,
    /// A frame around boxes.
    Group,
    /// A line in the box of a class.
    Member,
}

/// What happened to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another than before.
    Changed,
}

/// Says what changed from `old` to `new`, without a time limit. Texts without elements are compared by line.
pub fn compare(old: &str, new: &str) -> Comparison {
    compare_texts(old, new)
}

/// Says what changed from `old` to `new`. Texts without elements are compared by line.
///
/// # Errors
/// When the deadline is exceeded.
pub fn compare_within(old: &str, new: &str, deadline: &Deadline) -> Result<Comparison, DeadlineExceeded> {
    deadline.spend(old.len() + new.len())?;
    Ok(compare_texts(old, new))
}

fn compare_texts(old: &str, new: &str) -> Comparison {
    let diff = unified_diff(old, new);
    let kind = |text| kinds::of_header(text).map(|kind| kind.id);
    match (outline(old), outline(new)) {
        (Some(before), Some(after)) if kind(old) == kind(new) => {
            let changes = changes(&before, &after);
            Comparison { same: changes.is_empty(), by_element: true, changes, diff }
        }
        _ => {
            let lines =
                |text: &str| text.trim().lines().map(str::trim_end).map(str::to_owned).collect::<Vec<_>>();
            Comparison { same: lines(old) == lines(new), by_element: false, changes: Vec::new(), diff }
        }
    }
}

/// Every difference of two outlines.
pub(crate) fn changes(old: &Outline, new: &Outline) -> Vec<Change> {
    let renamed = renamings(old, new);
    let name = |id: &str| renamed.get(id).copied().unwrap_or(id).to_owned();
    let mut out = Vec::new();
    let mut removed = Vec::new();
    for node in &new.nodes {
        match old.nodes.iter().find(|before| name(&before.id) == node.id) {
            None => out.push(note(
                ElementKind::Node,
                How::Added,
                &node.id,
                format!("{} is new.", called(node)),
                None,
                Some(&node.label),
            )),
            Some(before) => node_changes(before, node, &mut out),
        }
    }
    for node in old.nodes.iter().filter(|node| !new.nodes.iter().any(|after| after.id == name(&node.id))) {
        removed.push(note(
            ElementKind::Node,
            How::Removed,
            &node.id,
            format!("{} is gone.", called(node)),
            Some(&node.label),
            None,
        ));
    }
    for group in &new.groups {
        match old.groups.iter().find(|before| before.id == group.id) {
            None => out.push(note(
                ElementKind::Group,
                How::Added,
                &group.id,
                format!("The frame `{}` is new.", group.label),
                None,
                Some(&group.label),
            )),
            Some(before) if before.label != group.label => {
                let message = format!("The frame `{}` is now called `{}`.", before.label, group.label);
                out.push(note(
                    ElementKind::Group,
                    How::Changed,
                    &group.id,
                    message,
                    Some(&before.label),
                    Some(&group.label),
                ));
            }
            Some(_) => {}
        }
    }
    for group in old.groups.iter().filter(|group| !new.groups.iter().any(|after| after.id == group.id)) {
        removed.push(note(
            ElementKind::Group,
            How::Removed,
            &group.id,
            format!("The frame `{}` is gone.", group.label),
            Some(&group.label),
            None,
        ));
    }
    edge_changes(old, new, &name, &mut out, &mut removed);
    out.append(&mut removed);
    out.truncate(MOST);
    out
}

fn note(
    element: ElementKind,
    how: How,
    id: &str,
    message: String,
    before: Option<&str>,
    after: Option<&str>,
) -> Change {
    Change {
        element,
        how,
        id: id.to_owned(),
        message,
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

/// A node as people call it.
fn called(node: &OutlineNode) -> String {
    let what = match node.shape.as_str() {
        "class" => "The class",
        "actor" => "The actor",
        "usecase" => "The use case",
        _ => "The box",
    };
    format!("{what} `{}`", if node.label.is_empty() { &node.id } else { &node.label })
}

/// Ids that are gone and the new ones that took their place: same label, or the same members in a class.
fn renamings<'a>(old: &'a Outline, new: &'a Outline) -> BTreeMap<&'a str, &'a str> {
    let ids =
        |outline: &'a Outline| outline.nodes.iter().map(|node| node.id.as_str()).collect::<BTreeSet<_>>();
    let (before, after) = (ids(old), ids(new));
    let gone: Vec<&OutlineNode> = old.nodes.iter().filter(|node| !after.contains(node.id.as_str())).collect();
    let come: Vec<&OutlineNode> =
        new.nodes.iter().filter(|node| !before.contains(node.id.as_str())).collect();
    let alike = |a: &OutlineNode, b: &OutlineNode| {
        let says_more_than_its_id = a.label != a.id && a.label == b.label;
        let has_the_members = !a.members.is_empty() && a.members == b.members;
        a.shape == b.shape && (says_more_than_its_id || has_the_members)
    };
    let mut renamed = BTreeMap::new();
    for node in &come {
        let candidates: Vec<&&OutlineNode> = gone.iter().filter(|before| alike(before, node)).collect();
        if let [only] = candidates.as_slice()
            && come.iter().filter(|other| alike(only, other)).count() == 1
        {
            renamed.insert(only.id.as_str(), node.id.as_str());
        }
    }
    renamed
}

fn node_changes(before: &OutlineNode, after: &OutlineNode, out: &mut Vec<Change>) {
    let mut changed = |message: String, was: &str, is: &str| {
        out.push(note(ElementKind::Node, How::Changed, &after.id, message, Some(was), Some(is)));
    };
    if before.id != after.id {
        changed(
            format!("{} is now `{}` in the text instead of `{}`.", called(after), after.id, before.id),
            &before.id,
            &after.id,
        );
    }
    if before.label != after.label && !(before.label == before.id && after.label == after.id) {
        changed(format!("{} is now called `{}`.", called(before), after.label), &before.label, &after.label);
    }
    if before.shape != after.shape {
        changed(format!("{} has another shape.", called(after)), &before.shape, &after.shape);
    }
    if before.parent != after.parent {
        let place = |parent: &str| {
            if parent.is_empty() { "no frame".to_owned() } else { format!("the frame `{parent}`") }
        };
        changed(
            format!(
                "{} stands in {} instead of {}.",
                called(after),
                place(&after.parent),
                place(&before.parent)
            ),
            &before.parent,
            &after.parent,
        );
    }
    let (was, is) = (before.stereotypes.join(", "), after.stereotypes.join(", "));
    if was != is {
        changed(format!("{} has other stereotypes.", called(after)), &was, &is);
    }
    for (member, count) in surplus(&after.members, &before.members) {
        for _ in 0..count {
            let message = format!("{} has the new line `{member}`.", called(after));
            out.push(note(ElementKind::Member, How::Added, &after.id, message, None, Some(member)));
        }
    }
    for (member, count) in surplus(&before.members, &after.members) {
        for _ in 0..count {
            let message = format!("{} has lost the line `{member}`.", called(after));
            out.push(note(ElementKind::Member, How::Removed, &after.id, message, Some(member), None));
        }
    }
}

/// What is in `of` more often than in `than`, in the order of `of`.
fn surplus<'a>(of: &'a [String], than: &[String]) -> Vec<(&'a str, usize)> {
    let count = |list: &[String], item: &str| list.iter().filter(|other| *other == item).count();
    let mut seen = BTreeSet::new();
    of.iter()
        .filter(|item| seen.insert(item.as_str()))
        .map(|item| (item.as_str(), count(of, item).saturating_sub(count(than, item))))
        .filter(|(_, more)| *more > 0)
        .collect()
}

/// A line without what names its ends.
fn words(edge: &OutlineEdge) -> String {
    let parts = [&edge.from_label, &edge.label, &edge.to_label];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("{} {}", edge.kind, parts.join(" / ")).trim_end().to_owned()
}

fn edge_changes(
    old: &Outline,
    new: &Outline,
    name: &impl Fn(&str) -> String,
    out: &mut Vec<Change>,
    removed: &mut Vec<Change>,
) {
    let mut left: Vec<OutlineEdge> = old
        .edges
        .iter()
        .map(|edge| OutlineEdge { from: name(&edge.from), to: name(&edge.to), ..edge.clone() })
        .collect();
    // First what is the same, so that a change is not told of a line that only stands elsewhere.
    let mut unmatched = Vec::new();
    for edge in &new.edges {
        match left.iter().position(|before| before == edge) {
            Some(at) => drop(left.remove(at)),
            None => unmatched.push(edge),
        }
    }
    for edge in unmatched {
        let id = format!("{} {}", edge.from, edge.to);
        let line = format!("The line from `{}` to `{}`", edge.from, edge.to);
        let same_ends = left.iter().position(|before| before.from == edge.from && before.to == edge.to);
        let turned = left.iter().position(|before| {
            before.from == edge.to && before.to == edge.from && before.label == edge.label
        });
        if let Some(at) = same_ends {
            let before = left.remove(at);
            let message = match before.label == edge.label {
                false => format!("{line} now says `{}` instead of `{}`.", edge.label, before.label),
                true => format!("{line} is now of another kind."),
            };
            out.push(note(
                ElementKind::Edge,
                How::Changed,
                &id,
                message,
                Some(&words(&before)),
                Some(&words(edge)),
            ));
        } else if let Some(at) = turned {
            let before = left.remove(at);
            let message = format!("{line} ran the other way.");
            out.push(note(
                ElementKind::Edge,
                How::Changed,
                &id,
                message,
                Some(&words(&before)),
                Some(&words(edge)),
            ));
        } else {
            out.push(note(
                ElementKind::Edge,
                How::Added,
                &id,
                format!("{line} is new."),
                None,
                Some(&words(edge)),
            ));
        }
    }
    for edge in left {
        let message = format!("The line from `{}` to `{}` is gone.", edge.from, edge.to);
        removed.push(note(
            ElementKind::Edge,
            How::Removed,
            &format!("{} {}", edge.from, edge.to),
            message,
            Some(&words(&edge)),
            None,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, want: &[&str]) {
        let found = compare(old, new);
        assert!(found.by_element, "{old}\n{new}");
        let messages: Vec<&str> = found.changes.iter().map(|change| change.message.as_str()).collect();
        assert_eq!(messages, want, "{old}\n{new}");
        assert_eq!(found.same, want.is_empty());
        assert!(compare(new, new).same);
    }

    #[test]
    fn says_what_changed() {
        let flow = "flowchart TD\n a[One] -->|yes| b[Two]\n b --> c\n";
        let class = "classDiagram\nclass Order {\n +date Date\n}\nOrder \"1\" --> \"*\" Line : has\n";
        for (old, new, want) in [
            (flow, "flowchart TD\n %% moved\n b[Two] --> c\n a[One] -->|yes| b\n", &[][..]),
            (
                flow,
                "flowchart TD\n a[One] -->|no| b[Two]\n b --> c\n",
                &["The line from `a` to `b` now says `no` instead of `yes`."],
            ),
            (
                flow,
                "flowchart TD\n a[One] -->|yes| b[Three]\n b --> c\n",
                &["The box `Two` is now called `Three`."],
            ),
            (
                flow,
                "flowchart TD\n a[One] -->|yes| x[Two]\n x --> c\n",
                &["The box `Two` is now `x` in the text instead of `b`."],
            ),
            (
                flow,
                "flowchart TD\n a[One] -->|yes| b[Two]\n c --> b\n",
                &["The line from `c` to `b` ran the other way."],
            ),
            (
                flow,
                "flowchart TD\n a[One] -->|yes| b[Two]\n",
                &["The box `c` is gone.", "The line from `b` to `c` is gone."],
            ),
            (
                flow,
                "flowchart TD\n a{One} -->|yes| b[Two]\n b --> c\n b -.-> a",
                &["The box `One` has another shape.", "The line from `b` to `a` is new."],
            ),
            (
                flow,
                "flowchart TD\n subgraph g [Team]\n a[One] -->|yes| b[Two]\n end\n b --> c\n",
                &[
                    "The box `One` stands in the frame `g` instead of no frame.",
                    "The box `Two` stands in the frame `g` instead of no frame.",
                    "The frame `Team` is new.",
                ],
            ),
            (
                class,
                "classDiagram\nclass Order {\n +total Money\n}\nOrder \"1\" --> \"1..*\" Line : has\n",
                &[
                    "The class `Order` has the new line `+total Money`.",
                    "The class `Order` has lost the line `+date Date`.",
                    "The line from `Order` to `Line` is now of another kind.",
                ],
            ),
        ] {
            check(old, new, want);
        }
    }

    #[test]
    fn without_elements_lines_are_compared() {
        for (old, new, same) in [
            ("pie\n\"a\": 1", "pie\n\"a\": 1\n", true),
            ("pie\n\"a\": 1", "pie\n\"a\": 2", false),
            ("flowchart TD\n a --> b", "classDiagram\nclass A", false),
            ("not a diagram [", "flowchart TD\n a", false),
        ] {
            let found = compare(old, new);
            assert_eq!((found.by_element, found.same), (false, same), "{old}\n{new}");
            assert_eq!(found.diff.is_empty() || old.trim() == new.trim(), same, "{old}\n{new}");
        }
    }
}
