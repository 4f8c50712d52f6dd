//! An activity diagram as Mermaid text: a flowchart from top to bottom, with a frame for each lane.
//!
//! Start and end are small circles filled dark, as UML draws them; fork and join are dark bars. Mermaid 12 has shapes
//! for them; before it, bars are boxes filled dark. What a node is also stands in its style class (`start`, `finish`,
//! `fork`, `join`, `merge`), so that the text alone is enough.

use std::collections::HashMap;

use super::model::{ActivityModel, ActivityNode, ActivityNodeKind};
use crate::{
    compile::{Compiled, Element, ElementKind, Ids, Pairs, Target, Writer, ascii_word},
    escape,
};

/// Words that the grammar of flowcharts takes for its own.
const RESERVED: [&str; 27] = [
    "end",
    "graph",
    "subgraph",
    "flowchart",
    "style",
    "class",
    "classdef",
    "click",
    "default",
    "linkstyle",
    "direction",
    "interpolate",
    "href",
    "call",
    "acctitle",
    "accdescr",
    "_self",
    "_blank",
    "_parent",
    "_top",
    "o",
    "x",
    "v",
    "tb",
    "td",
    "lr",
    "rl",
];

const DARK: &str = "fill:#333,stroke:#888,color:#fff";

/// Both circles of an end are dark; between them stays a bright ring.
const RING: &str = "fill:#333,stroke:#fff,stroke-width:2px,color:#fff";

pub(super) fn compile(model: &ActivityModel, target: Target) -> Compiled {
    let mut ids = Ids::default();
    let mut id_of: HashMap<&str, String> = HashMap::new();
    let nodes: Vec<String> = model
        .nodes
        .iter()
        .map(|node| {
            let id = ids.unique(&mermaid_id(&node.id));
            id_of.entry(node.id.as_str()).or_insert_with(|| id.clone());
            id
        })
        .collect();

    let mut writer = Writer::new("flowchart TD");
    // The lanes in the order in which the work reaches them; what has no actor stands outside.
    let lane = |node: &ActivityNode| escape::clean(&node.lane);
    let mut lanes = vec![String::new()];
    for node in &model.nodes {
        let lane = lane(node);
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
    }
    for name in &lanes {
        let depth = if name.is_empty() { 1 } else { 2 };
        if !name.is_empty() {
            let word = ascii_word(name);
            let id = ids.unique(&format!("lane_{}", if word.is_empty() { "1" } else { &word }));
            writer.line(1, &format!("subgraph {id}[\"{}\"]", escape::quoted(name)));
        }
        for (node, id) in model.nodes.iter().zip(&nodes).filter(|(node, _)| lane(node) == *name) {
            let element = Element {
                id: node.id.clone(),
                mermaid_id: id.clone(),
                label: node.label.clone(),
                kind: ElementKind::Node,
                sources: node.sources.clone(),
                evidence: node.evidence.clone(),
                ..Element::default()
            };
            writer.draw(depth, &node_line(node, id, target), element);
        }
        if !name.is_empty() {
            writer.line(1, "end");
        }
    }
    let mut pairs = Pairs::default();
    for edge in &model.edges {
        let (Some(from), Some(to)) = (id_of.get(edge.from.as_str()), id_of.get(edge.to.as_str())) else {
            continue;
        };
        let guard = match escape::clean(&edge.guard).as_str() {
            "" => String::new(),
            guard => format!("|\"{}\"|", escape::quoted(guard)),
        };
        let element = Element {
            id: format!("{}--{}", edge.from, edge.to),
            mermaid_id: pairs.next(from, to),
            label: edge.guard.clone(),
            kind: ElementKind::Edge,
            sources: edge.sources.clone(),
            ..Element::default()
        };
        writer.draw(1, &format!("{from} -->{guard} {to}"), element);
    }
    for kind in
        [ActivityNodeKind::Start, ActivityNodeKind::End, ActivityNodeKind::Fork, ActivityNodeKind::Join]
    {
        let Some(class) = class_of(kind) else { continue };
        let of_kind = || model.nodes.iter().zip(&nodes).filter(|(node, _)| node.kind == kind);
        let shaped: Vec<&str> =
            of_kind().filter(|(node, _)| is_shaped(node, target)).map(|(_, id)| id.as_str()).collect();
        if !shaped.is_empty() {
            // The fast engine takes no `:::` beside `@{…}`.
            writer.line(1, &format!("class {} {class}", shaped.join(",")));
        }
        // The small circle in a ring that Mermaid 12 draws for an end is right as it is.
        if of_kind().count() > shaped.len() || kind != ActivityNodeKind::End && of_kind().count() > 0 {
            let ring = if kind == ActivityNodeKind::End { RING } else { DARK };
            writer.line(1, &format!("classDef {class} {ring}"));
        }
    }
    writer.finish()
}

fn mermaid_id(id: &str) -> String {
    let plain = id.len() <= 60
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && !RESERVED.contains(&id.to_ascii_lowercase().as_str()) {
        return id.to_owned();
    }
    let word = ascii_word(id);
    format!("n_{}", if word.is_empty() { "1" } else { &word })
}

/// The style class of a kind of node.
pub(super) fn class_of(kind: ActivityNodeKind) -> Option<&'static str> {
    match kind {
        ActivityNodeKind::Action | ActivityNodeKind::Decision => None,
        ActivityNodeKind::Start => Some("start"),
        ActivityNodeKind::End => Some("finish"),
        ActivityNodeKind::Merge => Some("merge"),
        ActivityNodeKind::Fork => Some("fork"),
        ActivityNodeKind::Join => Some("join"),
    }
}

/// Whether it is drawn in a shape of its own; those have no room for words.
fn is_shaped(node: &ActivityNode, target: Target) -> bool {
    // Its small circle for a start takes no fill, so a start is the same for both.
    let has_shape =
        matches!(node.kind, ActivityNodeKind::End | ActivityNodeKind::Fork | ActivityNodeKind::Join);
    target == Target::Mermaid12 && has_shape && escape::clean(&node.label).is_empty()
}

fn node_line(node: &ActivityNode, id: &str, target: Target) -> String {
    let label = escape::quoted(&node.label);
    let shaped = is_shaped(node, target);
    match node.kind {
        ActivityNodeKind::Action => format!("{id}(\"{label}\")"),
        ActivityNodeKind::Decision => format!("{id}{{\"{label}\"}}"),
        ActivityNodeKind::Merge => format!("{id}{{\"{label}\"}}:::merge"),
        ActivityNodeKind::Start => format!("{id}((\"{label}\")):::start"),
        ActivityNodeKind::End if shaped => format!("{id}@{{ shape: fr-circ }}"),
        ActivityNodeKind::End => format!("{id}(((\"{label}\"))):::finish"),
        ActivityNodeKind::Fork if shaped => format!("{id}@{{ shape: fork }}"),
        ActivityNodeKind::Fork => format!("{id}[\"{label}\"]:::fork"),
        ActivityNodeKind::Join if shaped => format!("{id}@{{ shape: join }}"),
        ActivityNodeKind::Join => format!("{id}[\"{label}\"]:::join"),
    }
}
