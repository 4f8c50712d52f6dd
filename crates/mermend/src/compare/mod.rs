//! What changed between two diagrams, by element, in words.
//!
//! Order, layout and comments do not count. Kinds of which there is no outline are compared by line.

use std::collections::{HashMap, HashSet};

use diagram::{Outline, OutlineEdge, OutlineGroup, OutlineNode, OutlinePart};
use serde::{Deserialize, Serialize};

mod unmatched;

use unmatched::Unmatched;

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    diff::unified_diff_within,
    kinds,
    outline::outline_within,
    text::shortened,
};

/// More changes than this are counted, not listed: two such diagrams have little in common.
const MOST: usize = 1000;
/// The most characters of a label in a sentence.
const MAX_QUOTED: usize = 200;
/// The most characters of an id, and of how an element was and is.
const MAX_VALUE: usize = 1000;

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
    /// How many more changes there are than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_changes: usize,
    /// The change of the text as a unified diff.
    pub diff: String,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What changed.
    pub element: OutlinePart,
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
    // Without a limit and with no one to cancel it, the deadline cannot be exceeded.
    compare_within(old, new, &Deadline::none()).unwrap_or_else(|DeadlineExceeded| Comparison {
        same: false,
        by_element: false,
        changes: Vec::new(),
        more_changes: 0,
        diff: String::new(),
    })
}

/// Says what changed from `old` to `new`. Texts without elements are compared by line.
///
/// # Errors
/// When the deadline is exceeded.
pub fn compare_within(old: &str, new: &str, deadline: &Deadline) -> Result<Comparison, DeadlineExceeded> {
    let diff = unified_diff_within(old, new, deadline)?;
    let kind = |text| kinds::find_by_header(text).map(|kind| kind.id);
    let answer = match (outline_within(old, deadline)?, outline_within(new, deadline)?) {
        (Some(before), Some(after)) if kind(old) == kind(new) => {
            let Changes { list, more, .. } = changes(&before, &after, deadline)?;
            Comparison { same: list.is_empty(), by_element: true, changes: list, more_changes: more, diff }
        }
        _ => {
            let lines =
                |text: &str| text.trim().lines().map(str::trim_end).map(str::to_owned).collect::<Vec<_>>();
            Comparison {
                same: lines(old) == lines(new),
                by_element: false,
                changes: Vec::new(),
                more_changes: 0,
                diff,
            }
        }
    };
    match deadline.exceeded() {
        true => Err(DeadlineExceeded),
        false => Ok(answer),
    }
}

/// Changes, of which the first [`MOST`] are listed and the rest are counted.
pub(crate) struct Changes<'d> {
    pub(crate) list: Vec<Change>,
    pub(crate) more: usize,
    deadline: &'d Deadline,
}

impl Changes<'_> {
    /// Lists one more change. `say` gives its sentence, with how it was and how it is.
    fn push<'a>(
        &mut self,
        element: OutlinePart,
        how: How,
        id: &str,
        say: impl FnOnce() -> (String, Option<&'a str>, Option<&'a str>),
    ) -> Result<(), DeadlineExceeded> {
        self.deadline.spend(1)?;
        if self.list.len() >= MOST {
            self.more += 1;
            return Ok(());
        }
        let (message, before, after) = say();
        let value = |text: &str| shortened(text, MAX_VALUE);
        self.list.push(Change {
            element,
            how,
            id: value(id),
            message,
            before: before.map(value),
            after: after.map(value),
        });
        Ok(())
    }
}

/// A text, short enough for a sentence.
fn quoted(text: &str) -> String {
    shortened(text, MAX_QUOTED)
}

/// Every difference of two outlines.
pub(crate) fn changes<'d>(
    old: &Outline,
    new: &Outline,
    deadline: &'d Deadline,
) -> Result<Changes<'d>, DeadlineExceeded> {
    let mut out = Changes { list: Vec::new(), more: 0, deadline };
    deadline.spend(old.nodes.len() + old.groups.len() + new.nodes.len() + new.groups.len())?;
    let renamed = renamings(old, new, deadline)?;
    let name = |id: &'_ str| -> String { renamed.get(id).copied().unwrap_or(id).to_owned() };
    let mut old_nodes: HashMap<String, &OutlineNode> = HashMap::new();
    for node in &old.nodes {
        old_nodes.entry(name(&node.id)).or_insert(node);
    }
    for node in &new.nodes {
        match old_nodes.get(&node.id) {
            None => out.push(OutlinePart::Node, How::Added, &node.id, || {
                (format!("{} is new.", called(node)), None, Some(node.label.as_str()))
            })?,
            Some(before) => node_changes(before, node, &mut out)?,
        }
    }
    let mut old_groups: HashMap<&str, &OutlineGroup> = HashMap::new();
    for group in &old.groups {
        old_groups.entry(&group.id).or_insert(group);
    }
    for group in &new.groups {
        match old_groups.get(group.id.as_str()) {
            None => out.push(OutlinePart::Group, How::Added, &group.id, || {
                (format!("The frame `{}` is new.", quoted(&group.label)), None, Some(group.label.as_str()))
            })?,
            Some(before) if before.label != group.label => {
                out.push(OutlinePart::Group, How::Changed, &group.id, || {
                    let message = format!(
                        "The frame `{}` is now called `{}`.",
                        quoted(&before.label),
                        quoted(&group.label)
                    );
                    (message, Some(before.label.as_str()), Some(group.label.as_str()))
                })?;
            }
            Some(_) => {}
        }
    }
    let removed_edges = edge_changes(old, new, &name, &mut out)?;
    let new_nodes: HashSet<&str> = new.nodes.iter().map(|node| node.id.as_str()).collect();
    for node in old.nodes.iter().filter(|node| !new_nodes.contains(name(&node.id).as_str())) {
        out.push(OutlinePart::Node, How::Removed, &node.id, || {
            (format!("{} is gone.", called(node)), Some(node.label.as_str()), None)
        })?;
    }
    let new_groups: HashSet<&str> = new.groups.iter().map(|group| group.id.as_str()).collect();
    for group in old.groups.iter().filter(|group| !new_groups.contains(group.id.as_str())) {
        out.push(OutlinePart::Group, How::Removed, &group.id, || {
            (format!("The frame `{}` is gone.", quoted(&group.label)), Some(group.label.as_str()), None)
        })?;
    }
    for edge in removed_edges {
        let words = words(&edge);
        out.push(OutlinePart::Edge, How::Removed, &ends(&edge), || {
            let message =
                format!("The line from `{}` to `{}` is gone.", quoted(&edge.from), quoted(&edge.to));
            (message, Some(words.as_str()), None)
        })?;
    }
    Ok(out)
}

/// A node in a sentence.
fn called(node: &OutlineNode) -> String {
    let what = match node.shape.as_str() {
        "class" => "The class",
        "actor" => "The actor",
        "usecase" => "The use case",
        _ => "The box",
    };
    format!("{what} `{}`", quoted(if node.label.is_empty() { &node.id } else { &node.label }))
}

/// Counts of nodes that may be the same under another id.
#[derive(Default)]
struct Alike<'a> {
    by_label: HashMap<(&'a str, &'a str), (usize, &'a str)>,
    by_members: HashMap<(&'a str, &'a [String]), (usize, &'a str)>,
    by_both: HashMap<(&'a str, &'a str, &'a [String]), usize>,
}

impl<'a> Alike<'a> {
    /// Of `nodes`, counts by label those that `labelled` chooses.
    fn new(nodes: &[&'a OutlineNode], labelled: impl Fn(&OutlineNode) -> bool) -> Self {
        let mut found = Alike::default();
        for node in nodes {
            let (shape, label, members) = (node.shape.as_str(), node.label.as_str(), node.members.as_slice());
            if labelled(node) {
                found.by_label.entry((shape, label)).or_insert((0, &node.id)).0 += 1;
            }
            if !members.is_empty() {
                found.by_members.entry((shape, members)).or_insert((0, &node.id)).0 += 1;
                if labelled(node) {
                    *found.by_both.entry((shape, label, members)).or_default() += 1;
                }
            }
        }
        found
    }

    /// How many have the label (if that counts) or the members (if there are some) of `node`, and the id of the first.
    fn like(&self, node: &'a OutlineNode, by_label: bool) -> (usize, Option<&'a str>) {
        let (shape, label, members) = (node.shape.as_str(), node.label.as_str(), node.members.as_slice());
        let label_count = self.by_label.get(&(shape, label)).copied().filter(|_| by_label);
        let member_count = self.by_members.get(&(shape, members)).copied();
        let both = self.by_both.get(&(shape, label, members)).copied().filter(|_| by_label).unwrap_or(0);
        let count = label_count.map_or(0, |found| found.0) + member_count.map_or(0, |found| found.0) - both;
        (count, label_count.or(member_count).map(|found| found.1))
    }
}

/// Ids that are gone and the new ones that took their place: same label, or the same members in a class.
fn renamings<'a>(
    old: &'a Outline,
    new: &'a Outline,
    deadline: &Deadline,
) -> Result<HashMap<&'a str, &'a str>, DeadlineExceeded> {
    let ids =
        |outline: &'a Outline| outline.nodes.iter().map(|node| node.id.as_str()).collect::<HashSet<_>>();
    let (before, after) = (ids(old), ids(new));
    let gone: Vec<&OutlineNode> = old.nodes.iter().filter(|node| !after.contains(node.id.as_str())).collect();
    let come: Vec<&OutlineNode> =
        new.nodes.iter().filter(|node| !before.contains(node.id.as_str())).collect();
    deadline.spend(gone.iter().chain(&come).map(|node| node.members.len() + 1).sum())?;
    // A label that is only the id says nothing about another id.
    let says_more_than_its_id = |node: &OutlineNode| node.label != node.id;
    let gone_alike = Alike::new(&gone, says_more_than_its_id);
    let come_alike = Alike::new(&come, |_| true);
    let gone: HashMap<&str, &OutlineNode> = gone.into_iter().map(|node| (node.id.as_str(), node)).collect();
    let mut renamed = HashMap::new();
    for node in come {
        if let (1, Some(only)) = gone_alike.like(node, true)
            && let Some(only) = gone.get(only)
            && come_alike.like(only, says_more_than_its_id(only)).0 == 1
        {
            renamed.insert(only.id.as_str(), node.id.as_str());
        }
    }
    Ok(renamed)
}

/// Names of nodes that are others in the new outline, from old to new: ids, and labels of nodes that are the same.
///
/// # Errors
/// When the deadline is exceeded.
pub fn renamed_names(
    old: &Outline,
    new: &Outline,
    deadline: &Deadline,
) -> Result<HashMap<String, String>, DeadlineExceeded> {
    let ids = renamings(old, new, deadline)?;
    let new_nodes: HashMap<&str, &OutlineNode> =
        new.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut names = HashMap::new();
    for node in &old.nodes {
        deadline.spend(1)?;
        let id = ids.get(node.id.as_str()).copied().unwrap_or(&node.id);
        let Some(now) = new_nodes.get(id) else { continue };
        for (was, is) in [(&node.id, &now.id), (&node.label, &now.label)] {
            if was != is {
                names.insert(was.clone(), is.clone());
            }
        }
    }
    Ok(names)
}

fn node_changes(
    before: &OutlineNode,
    after: &OutlineNode,
    out: &mut Changes<'_>,
) -> Result<(), DeadlineExceeded> {
    let mut changed = |message: String, was: &str, is: &str| {
        out.push(OutlinePart::Node, How::Changed, &after.id, || (message, Some(was), Some(is)))
    };
    if before.id != after.id {
        changed(
            format!(
                "{} is now `{}` in the text instead of `{}`.",
                called(after),
                quoted(&after.id),
                quoted(&before.id)
            ),
            &before.id,
            &after.id,
        )?;
    }
    if before.label != after.label && !(before.label == before.id && after.label == after.id) {
        let message = format!("{} is now called `{}`.", called(before), quoted(&after.label));
        changed(message, &before.label, &after.label)?;
    }
    if before.shape != after.shape {
        changed(format!("{} has another shape.", called(after)), &before.shape, &after.shape)?;
    }
    if before.parent != after.parent {
        let place = |parent: &str| {
            if parent.is_empty() { "no frame".to_owned() } else { format!("the frame `{}`", quoted(parent)) }
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
        )?;
    }
    let (was, is) = (before.stereotypes.join(", "), after.stereotypes.join(", "));
    if was != is {
        changed(format!("{} has other stereotypes.", called(after)), &was, &is)?;
    }
    for (list, other, how, verb) in [
        (&after.members, &before.members, How::Added, "has the new line"),
        (&before.members, &after.members, How::Removed, "has lost the line"),
    ] {
        out.deadline.spend(list.len() + other.len())?;
        for (member, count) in surplus(list, other) {
            for _ in 0..count {
                out.push(OutlinePart::Member, how, &after.id, || {
                    let message = format!("{} {verb} `{}`.", called(after), quoted(member));
                    match how {
                        How::Added => (message, None, Some(member)),
                        _ => (message, Some(member), None),
                    }
                })?;
            }
        }
    }
    Ok(())
}

/// What is in `of` more often than in `than`, in the order of `of`.
fn surplus<'a>(of: &'a [String], than: &'a [String]) -> Vec<(&'a str, usize)> {
    let counts = |list: &'a [String]| {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        list.iter().for_each(|item| *counts.entry(item).or_default() += 1);
        counts
    };
    let (mut left, other) = (counts(of), counts(than));
    of.iter()
        .filter_map(|item| {
            // Each once, where it comes first.
            let count = left.remove(item.as_str())?;
            Some((item.as_str(), count.saturating_sub(other.get(item.as_str()).copied().unwrap_or(0))))
        })
        .filter(|(_, more)| *more > 0)
        .collect()
}

/// A line without what names its ends.
fn words(edge: &OutlineEdge) -> String {
    let parts = [&edge.from_label, &edge.label, &edge.to_label];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("{} {}", edge.kind, parts.join(" / ")).trim_end().to_owned()
}

/// The id of a line.
fn ends(edge: &OutlineEdge) -> String {
    format!("{} {}", edge.from, edge.to)
}

/// Adds the changes of lines; gives back the old lines that are gone.
fn edge_changes(
    old: &Outline,
    new: &Outline,
    name: &impl Fn(&str) -> String,
    out: &mut Changes<'_>,
) -> Result<Vec<OutlineEdge>, DeadlineExceeded> {
    let named: Vec<OutlineEdge> = old
        .edges
        .iter()
        .map(|edge| OutlineEdge { from: name(&edge.from), to: name(&edge.to), ..edge.clone() })
        .collect();
    let mut left = Unmatched::new(&named);
    // First what is the same, so that a change is not reported of a line that only stands elsewhere.
    let mut unmatched = Vec::new();
    for edge in &new.edges {
        out.deadline.spend(1)?;
        if !left.take_same(edge) {
            unmatched.push(edge);
        }
    }
    for edge in unmatched {
        let id = ends(edge);
        let line = || format!("The line from `{}` to `{}`", quoted(&edge.from), quoted(&edge.to));
        let is = words(edge);
        if let Some(before) = left.take_ends(edge) {
            let was = words(before);
            out.push(OutlinePart::Edge, How::Changed, &id, || {
                let message = match before.label == edge.label {
                    false => {
                        format!(
                            "{} now says `{}` instead of `{}`.",
                            line(),
                            quoted(&edge.label),
                            quoted(&before.label)
                        )
                    }
                    true => format!("{} is now of another kind.", line()),
                };
                (message, Some(was.as_str()), Some(is.as_str()))
            })?;
        } else if let Some(before) = left.take_turned(edge) {
            let was = words(before);
            out.push(OutlinePart::Edge, How::Changed, &id, || {
                (format!("{} ran the other way.", line()), Some(was.as_str()), Some(is.as_str()))
            })?;
        } else {
            out.push(OutlinePart::Edge, How::Added, &id, || {
                (format!("{} is new.", line()), None, Some(is.as_str()))
            })?;
        }
    }
    let taken = left.into_taken();
    Ok(named.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(edge, _)| edge).collect())
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
