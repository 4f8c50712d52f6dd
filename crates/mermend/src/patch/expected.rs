//! What a diagram means after an operation, and which operations its elements do not allow.

use diagram::{Outline, OutlineEdge, OutlineNode};

use super::{
    operation::{Family, Operation, plain, short},
    write::{SHAPES, arrows, spaced},
};

/// The outline after the operation.
pub(super) fn expected_outline(
    family: Family,
    now: &Outline,
    operation: &Operation,
) -> Result<Outline, String> {
    let mut next = now.clone();
    let there = |id: &str| {
        let ids: Vec<String> = now.nodes.iter().map(|node| short(&node.id)).take(20).collect();
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
                return Err(format!("The label of `{}` would be empty; give it words.", short(id)));
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
            let sought = plain(member);
            let found = now
                .nodes
                .iter()
                .find(|node| node.id == *id)
                .and_then(|node| node.members.iter().position(|known| plain(known) == sought));
            let Some(at) = found else {
                return Err(format!("The class `{}` has no line `{}`.", short(id), short(member)));
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
            "There are {} such lines from `{}` to `{}`; say what is written on the one that is meant.",
            found.len(),
            short(from),
            short(to)
        )),
    }
}
