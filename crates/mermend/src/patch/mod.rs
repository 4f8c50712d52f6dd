//! Typed changes to flowcharts and class diagrams, as edits that leave everything else as it was written.
//!
//! An operation says what the diagram should mean afterwards. Edits of the text are tried, the smallest first, and the
//! first one after which the diagram means exactly that is taken: so an operation does what was asked, or nothing.

use serde::{Deserialize, Serialize};

use crate::{
    check::{Checked, Checker},
    compare::{Change, changes},
    deadline::Deadline,
    engines::Failure,
    outline::{Outline, OutlineEdge, OutlineNode, outline},
    repair::unified_diff,
};

mod lines;
mod write;

use lines::{Lines, raw_definition};
use write::{SHAPES, arrows, quoted, spaced, written};

/// At most so many operations at once.
const MOST_OPERATIONS: usize = 200;
/// Larger diagrams are not patched: every edit that is tried is read anew.
const MOST_BYTES: usize = 100_000;

/// One change to a diagram. Boxes are named by their ids in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Add a box.
    AddNode {
        /// Its id: letters, digits and underscores.
        id: String,
        /// What is written on it; the id if not said.
        label: Option<String>,
        /// Flowcharts: `rect` (the default), `round`, `stadium`, `diamond`, `circle`, `hexagon` or `database`.
        shape: Option<String>,
    },
    /// Remove a box and every line at it.
    RemoveNode {
        /// Its id.
        id: String,
    },
    /// Give a box another id.
    RenameNode {
        /// Its id.
        id: String,
        /// Its new id.
        to: String,
    },
    /// Change what is written on a box.
    SetLabel {
        /// Its id.
        id: String,
        /// What is to be written on it.
        label: String,
    },
    /// Draw a line between two boxes that are there.
    AddEdge {
        /// Id of the box it starts at. Inheritance: the special one; aggregation and composition: the whole.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is written on it.
        label: Option<String>,
        /// Flowcharts: `arrow` (the default), `open`, `dotted` or `thick`. Class diagrams: `association` (the default),
        /// `link`, `aggregation`, `composition`, `inheritance`, `realization` or `dependency`.
        kind: Option<String>,
    },
    /// Remove a line.
    RemoveEdge {
        /// Id of the box it starts at.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is written on it, if there are several between the two.
        label: Option<String>,
    },
    /// Change what is written on a line.
    SetEdgeLabel {
        /// Id of the box it starts at.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is to be written on it; empty for nothing.
        label: String,
        /// What is written on it now, if there are several between the two.
        old: Option<String>,
    },
    /// Add a line to the box of a class.
    AddMember {
        /// Id of the class.
        id: String,
        /// For example `+date Date` or `+total() Money`.
        member: String,
    },
    /// Remove a line from the box of a class.
    RemoveMember {
        /// Id of the class.
        id: String,
        /// The line as it is written.
        member: String,
    },
}

/// A patched diagram.
#[derive(Debug, Clone)]
pub struct Patched {
    /// The text.
    pub code: String,
    /// What is different, by element.
    pub changes: Vec<Change>,
    /// The change as a unified diff.
    pub diff: String,
    /// The verdict on the text; valid.
    pub checked: Checked,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchError {
    /// Which operation, counted from 0.
    pub operation: usize,
    /// What sort of reason it is.
    pub kind: PatchErrorKind,
    /// What is in the way and what to do.
    pub message: String,
}

/// What sort of reason a patch was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchErrorKind {
    /// The operation or the diagram does not allow it; the same request is refused again.
    Refused,
    /// The time or another limit was reached, or the engine did not run: the operations were not judged.
    Failed(Failure),
}

impl std::fmt::Display for PatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PatchError {}

/// The two families that can be patched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Flow,
    Class,
}

impl Checker {
    /// Carries out `operations` in their order, all or none.
    ///
    /// # Errors
    /// Which operation cannot be carried out, and why.
    pub fn patch(&self, text: &str, operations: &[Operation]) -> Result<Patched, PatchError> {
        self.patch_within(text, operations, &self.deadline())
    }

    /// [`Checker::patch`] with a time limit.
    ///
    /// # Errors
    /// Which operation cannot be carried out, and why; [`PatchErrorKind::Failed`] with [`Failure::TooSlow`] when the
    /// deadline is exceeded.
    pub fn patch_within(
        &self,
        text: &str,
        operations: &[Operation],
        _deadline: &Deadline,
    ) -> Result<Patched, PatchError> {
        let refuse = |operation, message: String| {
            Err(PatchError { operation, kind: PatchErrorKind::Refused, message })
        };
        if operations.len() > MOST_OPERATIONS || text.len() > MOST_BYTES {
            return refuse(
                0,
                format!(
                    "At most {MOST_OPERATIONS} operations on at most {MOST_BYTES} bytes are carried out at once."
                ),
            );
        }
        let family = match crate::kinds::of_header(text).map(|kind| kind.id) {
            Some("flowchart") => Family::Flow,
            Some("class") => Family::Class,
            _ => {
                return refuse(
                    0,
                    "Only flowcharts and class diagrams can be patched; change other kinds in the text."
                        .to_owned(),
                );
            }
        };
        let Some(before) =
            outline(text).filter(|_| self.deciding(text).is_some_and(|verdict| verdict.valid()))
        else {
            return refuse(0, "The diagram is not valid yet: repair it first, then patch it.".to_owned());
        };
        let mut code = text.to_owned();
        let mut current = before.clone();
        for (number, operation) in operations.iter().enumerate() {
            let edited = apply(family, &code, &current, operation);
            (code, current) = edited.map_err(|message| PatchError {
                operation: number,
                kind: PatchErrorKind::Refused,
                message,
            })?;
        }
        let checked = self.check(&code);
        if !checked.valid {
            return refuse(
                operations.len().saturating_sub(1),
                "Mermaid would not accept the result, so nothing was changed.".to_owned(),
            );
        }
        Ok(Patched { changes: changes(&before, &current), diff: unified_diff(text, &code), checked, code })
    }
}

fn apply(
    family: Family,
    text: &str,
    now: &Outline,
    operation: &Operation,
) -> Result<(String, Outline), String> {
    let wanted = wanted(family, now, operation)?;
    let lines = Lines::of(text);
    for candidate in candidates(family, &lines, now, &wanted, operation) {
        if let Some(found) = outline(&candidate)
            && same(&found, &wanted)
        {
            return Ok((candidate, found));
        }
    }
    let (id, _) = names(operation);
    let place = lines.mentioning(id).first().map(|at| format!(" (line {})", at + 1)).unwrap_or_default();
    Err(format!(
        "The text around `{id}`{place} is written in a way that cannot be changed without changing more than was asked; change it in the text."
    ))
}

/// The ids that an operation is about.
fn names(operation: &Operation) -> (&str, Option<&str>) {
    use Operation::{
        AddEdge, AddMember, AddNode, RemoveEdge, RemoveMember, RemoveNode, RenameNode, SetEdgeLabel, SetLabel,
    };
    match operation {
        AddNode { id, .. } | RemoveNode { id } | RenameNode { id, .. } | SetLabel { id, .. } => (id, None),
        AddMember { id, .. } | RemoveMember { id, .. } => (id, None),
        AddEdge { from, to, .. } | RemoveEdge { from, to, .. } | SetEdgeLabel { from, to, .. } => {
            (from, Some(to))
        }
    }
}

/// What the diagram should mean afterwards.
fn wanted(family: Family, now: &Outline, operation: &Operation) -> Result<Outline, String> {
    let mut next = now.clone();
    let there = |id: &str| {
        let ids: Vec<&str> = now.nodes.iter().map(|node| node.id.as_str()).take(20).collect();
        match now.nodes.iter().any(|node| node.id == id) {
            true => Ok(()),
            false => {
                Err(format!("There is no box `{}` in the diagram. There are {}.", short(id), ids.join(", ")))
            }
        }
    };
    let node = |outline: &mut Outline, id: &str, change: &dyn Fn(&mut OutlineNode)| {
        outline.nodes.iter_mut().filter(|node| node.id == id).for_each(change);
    };
    match operation {
        Operation::AddNode { id, label, shape } => {
            new_id(now, id)?;
            if let Some(shape) = shape
                && (family == Family::Class || !SHAPES.iter().any(|row| row.0 == shape))
            {
                let known: Vec<&str> = SHAPES.iter().map(|row| row.0).collect();
                return Err(format!(
                    "There is no shape `{}` here; flowcharts have {}.",
                    short(shape),
                    known.join(", ")
                ));
            }
            let label = label.as_deref().map(spaced).filter(|label| !label.is_empty());
            next.nodes.push(OutlineNode {
                id: id.clone(),
                label: label.unwrap_or_else(|| id.clone()),
                ..OutlineNode::default()
            });
        }
        Operation::RemoveNode { id } => {
            there(id)?;
            next.nodes.retain(|node| node.id != *id);
            next.edges.retain(|edge| edge.from != *id && edge.to != *id);
        }
        Operation::RenameNode { id, to } => {
            there(id)?;
            new_id(now, to)?;
            node(&mut next, id, &|node| {
                if node.label == node.id {
                    node.label.clone_from(to);
                }
                node.id.clone_from(to);
            });
            for end in
                next.edges.iter_mut().flat_map(|edge| [&mut edge.from, &mut edge.to]).filter(|end| *end == id)
            {
                end.clone_from(to);
            }
        }
        Operation::SetLabel { id, label } => {
            there(id)?;
            let label = spaced(label);
            if label.is_empty() {
                return Err(format!("The label of `{id}` would be empty; give it words."));
            }
            node(&mut next, id, &|node| label.clone_into(&mut node.label));
        }
        Operation::AddEdge { from, to, label, kind } => {
            there(from)?;
            there(to)?;
            let known = arrows(family);
            let kind = kind.as_deref().unwrap_or(known[0].0);
            if !known.iter().any(|row| row.0 == kind) {
                let known: Vec<&str> = known.iter().map(|row| row.0).collect();
                return Err(format!(
                    "There is no kind of line `{}` here; there are {}.",
                    short(kind),
                    known.join(", ")
                ));
            }
            next.edges.push(OutlineEdge {
                from: from.clone(),
                to: to.clone(),
                label: spaced(label.as_deref().unwrap_or_default()),
                kind: kind.to_owned(),
                ..OutlineEdge::default()
            });
        }
        Operation::RemoveEdge { from, to, label } => {
            let at = edge(now, from, to, label.as_deref())?;
            next.edges.remove(at);
        }
        Operation::SetEdgeLabel { from, to, label, old } => {
            let at = edge(now, from, to, old.as_deref())?;
            next.edges[at].label = spaced(label);
        }
        Operation::AddMember { id, member } => {
            there(id)?;
            if family == Family::Flow {
                return Err("Boxes of a flowchart have no members; use set_label.".to_owned());
            }
            if member.trim().is_empty() || member.contains(['\n', '{', '}']) {
                return Err("A member is one line without braces, such as `+date Date`.".to_owned());
            }
            node(&mut next, id, &|node| node.members.push(member.trim().to_owned()));
        }
        Operation::RemoveMember { id, member } => {
            there(id)?;
            let found = now
                .nodes
                .iter()
                .find(|node| node.id == *id)
                .and_then(|node| node.members.iter().position(|known| plain(known) == plain(member)));
            let Some(at) = found else {
                return Err(format!("The class `{id}` has no line `{}`.", short(member)));
            };
            node(&mut next, id, &|node| drop(node.members.remove(at)));
        }
    }
    Ok(next)
}

fn new_id(now: &Outline, id: &str) -> Result<(), String> {
    let fits = !id.is_empty() && id.len() <= 100 && id.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !fits || id.chars().next().is_some_and(char::is_numeric) {
        return Err(format!(
            "`{}` cannot be an id: use letters, digits and underscores, and begin with a letter.",
            short(id)
        ));
    }
    if matches!(
        id.to_lowercase().as_str(),
        "end"
            | "graph"
            | "flowchart"
            | "subgraph"
            | "class"
            | "classdef"
            | "click"
            | "default"
            | "direction"
            | "href"
            | "interpolate"
            | "linkstyle"
            | "note"
            | "namespace"
            | "style"
    ) {
        return Err(format!("`{id}` is a word of Mermaid's grammar; choose another id."));
    }
    match now.nodes.iter().any(|node| node.id == id) || now.groups.iter().any(|group| group.id == id) {
        true => Err(format!("`{id}` is there already; choose another id.")),
        false => Ok(()),
    }
}

/// The one line that is meant.
fn edge(now: &Outline, from: &str, to: &str, label: Option<&str>) -> Result<usize, String> {
    let fits = |edge: &OutlineEdge| {
        edge.from == from && edge.to == to && label.is_none_or(|label| edge.label == label.trim())
    };
    let found: Vec<usize> = (0..now.edges.len()).filter(|at| fits(&now.edges[*at])).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(format!("There is no such line from `{}` to `{}`.", short(from), short(to))),
        _ => Err(format!(
            "There are {} such lines from `{from}` to `{to}`; say what is written on the one that is meant.",
            found.len()
        )),
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A member without what Mermaid writes in its own way.
fn plain(member: &str) -> String {
    member.chars().filter(|c| !c.is_whitespace() && *c != ':').collect()
}

/// Both mean the same. The shape of a new box is Mermaid's word for it, which nobody asked for.
fn same(found: &Outline, wanted: &Outline) -> bool {
    let nodes = |outline: &Outline| {
        let mut nodes: Vec<OutlineNode> = outline.nodes.clone();
        for node in &mut nodes {
            node.members = node.members.iter().map(|member| plain(member)).collect();
            node.members.sort();
            let new = wanted.nodes.iter().any(|other| other.id == node.id && other.shape.is_empty());
            // A box without brackets is a rectangle too.
            if new || matches!(node.shape.as_str(), "squareRect" | "square" | "rect") {
                node.shape.clear();
            }
        }
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        nodes
    };
    let edges = |outline: &Outline| {
        let key = |edge: &OutlineEdge| {
            [&edge.from, &edge.to, &edge.label, &edge.kind, &edge.from_label, &edge.to_label]
                .map(String::clone)
        };
        let mut edges: Vec<[String; 6]> = outline.edges.iter().map(key).collect();
        edges.sort();
        edges
    };
    nodes(found) == nodes(wanted) && edges(found) == edges(wanted) && found.groups == wanted.groups
}

/// Texts that may mean what is wanted, the one that changes least first.
fn candidates(
    family: Family,
    lines: &Lines<'_>,
    now: &Outline,
    wanted: &Outline,
    operation: &Operation,
) -> Vec<String> {
    let (id, other) = names(operation);
    match operation {
        Operation::AddNode { id, label, shape } => {
            let label = label.as_deref().map(str::trim).filter(|label| !label.is_empty());
            vec![lines.with_line(&match family {
                Family::Class => match label {
                    Some(label) => format!("class {id}[\"{}\"]", quoted(label)),
                    None => format!("class {id}"),
                },
                Family::Flow => {
                    let shape = shape.as_deref().unwrap_or("rect");
                    let (_, open, close) = SHAPES.iter().find(|row| row.0 == shape).unwrap_or(&SHAPES[0]);
                    format!("{id}{open}\"{}\"{close}", quoted(label.unwrap_or(id)))
                }
            })]
        }
        Operation::AddEdge { .. } => {
            wanted.edges.last().map(|edge| lines.with_line(&written(family, edge))).into_iter().collect()
        }
        Operation::AddMember { id, member } => vec![lines.with_line(&format!("{id} : {}", member.trim()))],
        Operation::RenameNode { id, to } => vec![lines.renamed(family, id, to)],
        Operation::SetLabel { id, label } => {
            let mut tries = lines.relabelled(family, id, &quoted(label.trim()));
            let line = match family {
                Family::Class => format!("class {id}[\"{}\"]", quoted(label.trim())),
                Family::Flow => format!("{id}[\"{}\"]", quoted(label.trim())),
            };
            tries.push(lines.with_line(&line));
            tries
        }
        Operation::RemoveNode { .. }
        | Operation::RemoveEdge { .. }
        | Operation::SetEdgeLabel { .. }
        | Operation::RemoveMember { .. } => {
            let mentioning = lines.mentioning(id);
            let mut sets: Vec<Vec<usize>> = mentioning
                .iter()
                .filter(|at| other.is_none_or(|other| lines.mentions(**at, other)))
                .map(|at| vec![*at])
                .collect();
            if let Operation::RemoveMember { member, .. } = operation {
                sets = lines.members(member);
            }
            if let Operation::RemoveNode { id } = operation {
                // Its own lines first: those of the others may be written again.
                sets.push(lines.with_blocks(id, &mentioning));
            }
            sets.iter().filter_map(|set| rewritten(family, lines, now, wanted, set)).collect()
        }
    }
}

/// The text without the lines of `set`, with what was only there, and is still wanted, written anew.
fn rewritten(
    family: Family,
    lines: &Lines<'_>,
    now: &Outline,
    wanted: &Outline,
    set: &[usize],
) -> Option<String> {
    let without = lines.without(set);
    let rest = outline(&without).unwrap_or_default();
    let gone = |node: &&OutlineNode| {
        !rest
            .nodes
            .iter()
            .any(|other| other.id == node.id && other.label == node.label && other.shape == node.shape)
    };
    let mut edges: Vec<&OutlineEdge> = Vec::new();
    let mut left = rest.edges.clone();
    for edge in &wanted.edges {
        match left.iter().position(|other| other == edge) {
            Some(at) => drop(left.remove(at)),
            None => edges.push(edge),
        }
    }
    // What an outline does not tell (crosses, two heads, lengths) must not be lost.
    if !edges.is_empty() && set.iter().any(|at| lines.has_special_ends(family, *at)) {
        return None;
    }
    let mut again = Vec::new();
    for node in wanted.nodes.iter().filter(gone) {
        let raw = set.iter().find_map(|at| raw_definition(lines.line(*at), &node.id));
        let by_a_line = edges.iter().any(|edge| edge.from == node.id || edge.to == node.id);
        match (family, raw) {
            (Family::Flow, Some(raw)) => again.push(raw),
            _ if node.label == node.id && by_a_line => {}
            (Family::Flow, None) => again.push(node.id.clone()),
            (Family::Class, _) if node.label == node.id => again.push(format!("class {}", node.id)),
            (Family::Class, _) => again.push(format!("class {}[\"{}\"]", node.id, quoted(&node.label))),
        }
    }
    again.extend(edges.into_iter().map(|edge| written(family, edge)));
    // Nothing of the old diagram may be written anew that was not in these lines.
    (again.len() <= now.nodes.len() + now.edges.len() + 1).then(|| lines.replaced(set, &again))
}

#[cfg(test)]
mod tests;
