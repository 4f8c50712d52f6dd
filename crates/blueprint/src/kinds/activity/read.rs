//! An activity diagram read back from what a Mermaid parser saw.

use diagram::{Outline, OutlineNode};

use super::{
    compile::class_of,
    model::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind},
};

pub(crate) fn read(outline: &Outline) -> Option<ActivityModel> {
    if outline.nodes.is_empty() {
        return None;
    }
    let nodes = outline.nodes.iter().map(|node| read_node(node, outline)).collect();
    let edges = outline
        .edges
        .iter()
        .map(|edge| ActivityEdge {
            from: edge.from.clone(),
            to: edge.to.clone(),
            guard: edge.label.trim().to_owned(),
            ..ActivityEdge::default()
        })
        .collect();
    Some(ActivityModel { nodes, edges })
}

fn read_node(node: &OutlineNode, outline: &Outline) -> ActivityNode {
    let kind = read_kind(node, outline);
    let label = node.label.trim();
    // Mermaid writes the id on a node that has no label; only where words are wanted is it one.
    let unnamed = label == node.id && !matches!(kind, ActivityNodeKind::Action | ActivityNodeKind::Decision);
    let lane = outline.groups.iter().find(|group| !node.parent.is_empty() && group.id == node.parent);
    ActivityNode {
        id: node.id.clone(),
        kind,
        label: if unnamed { String::new() } else { label.to_owned() },
        lane: lane.map(|group| group.label.trim().to_owned()).unwrap_or_default(),
        ..ActivityNode::default()
    }
}

fn read_kind(node: &OutlineNode, outline: &Outline) -> ActivityNodeKind {
    const CLASSED: [ActivityNodeKind; 5] = [
        ActivityNodeKind::Start,
        ActivityNodeKind::End,
        ActivityNodeKind::Merge,
        ActivityNodeKind::Fork,
        ActivityNodeKind::Join,
    ];
    let classed = CLASSED
        .iter()
        .find(|kind| class_of(**kind).is_some_and(|class| node.stereotypes.iter().any(|s| s == class)));
    if let Some(kind) = classed {
        return *kind;
    }
    // Not drawn by this compiler: the shape and the arrows decide.
    let out = outline.edges.iter().filter(|edge| edge.from == node.id).count();
    let into = outline.edges.iter().filter(|edge| edge.to == node.id).count();
    let word = node.label.trim().to_lowercase();
    let round =
        ["circle", "doublecircle", "stadium", "sm-circ", "fr-circ", "rounded"].contains(&node.shape.as_str());
    match node.shape.as_str() {
        "diamond" if word.is_empty() && out < 2 => ActivityNodeKind::Merge,
        "diamond" => ActivityNodeKind::Decision,
        "fork" | "join" if out > 1 => ActivityNodeKind::Fork,
        "fork" | "join" => ActivityNodeKind::Join,
        "sm-circ" => ActivityNodeKind::Start,
        "doublecircle" | "fr-circ" => ActivityNodeKind::End,
        _ if round && into == 0 && (word.is_empty() || word.starts_with("start") || word == "begin") => {
            ActivityNodeKind::Start
        }
        _ if round
            && out == 0
            && (word.is_empty() || word.starts_with("end") || word == "stop" || word == "done") =>
        {
            ActivityNodeKind::End
        }
        _ => ActivityNodeKind::Action,
    }
}
