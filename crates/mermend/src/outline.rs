//! The outline of a text, from the model of the fast parser.

use std::collections::HashMap;

use crate::{
    deadline::{Deadline, DeadlineExceeded},
    engines::{
        Failure,
        fast::{self, Share},
    },
};
use diagram::{Outline, OutlineEdge, OutlineGroup, OutlineNode};
use merman::model::{
    SemanticDiagramModel,
    families::{
        class::{self, ClassDiagramModel, ClassRelation},
        flowchart::{FlowEdge, FlowEdgeMarker, FlowEdgeStroke, FlowNode, FlowchartModel},
        usecase::{UsecaseDiagramModel, UsecaseNodeKind, UsecaseRelationshipType},
    },
};

/// The outline of a text; `None` if the fast parser rejects it, or this kind of diagram has no outline.
///
/// A panic of the parser counts as a rejection.
pub fn outline(text: &str) -> Option<Outline> {
    outline_within(text, &Deadline::none()).ok().flatten()
}

/// [`outline`] with a time limit.
///
/// # Errors
/// When the deadline is exceeded.
pub fn outline_within(text: &str, deadline: &Deadline) -> Result<Option<Outline>, DeadlineExceeded> {
    deadline.spend(text.len())?;
    let parsed = match fast::parse(&hide_entities(text), deadline, Share::All) {
        Ok(Ok(parsed)) => parsed,
        // Too many readings whose time was over still go on: this one would not be in time either.
        Err(Failure::TooSlow | Failure::Busy) => return Err(DeadlineExceeded),
        Ok(Err(_)) | Err(_) => return Ok(None),
    };
    let outline = match parsed.model {
        SemanticDiagramModel::Class(model) => class_outline(&model),
        SemanticDiagramModel::Flowchart(model) => flowchart_outline(&model),
        SemanticDiagramModel::Usecase(model) => usecase_outline(&model),
        _ => return Ok(None),
    };
    match deadline.exceeded() {
        true => Err(DeadlineExceeded),
        false => Ok(Some(outline)),
    }
}

/// Stand for `#` and `;` of an entity code while the parser reads. It would decode some codes, clean the result as
/// HTML, and leave others in Mermaid's own disguise; so it gets to see none.
const OPEN: char = '\u{e0f0}';
const CLOSE: char = '\u{e0f1}';

fn hide_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // There `#fff;` is a colour and the end of a statement.
        let first = line.split_whitespace().next().unwrap_or_default();
        if matches!(first, "style" | "classDef" | "linkStyle") {
            out.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find('#') {
            out.push_str(&rest[..at]);
            let body = &rest[at + 1..];
            let length = body.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(body.len());
            if length > 0 && body[length..].starts_with(';') {
                out.push(OPEN);
                out.push_str(&body[..length]);
                out.push(CLOSE);
                rest = &body[length + 1..];
            } else {
                out.push('#');
                rest = body;
            }
        }
        out.push_str(rest);
    }
    out
}

/// The codes as they were written.
fn as_written(text: &str) -> String {
    text.replace(OPEN, "#").replace(CLOSE, ";")
}

/// The codes as the characters that they stand for; an unknown one as it was written.
fn as_seen(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        let Some((name, after)) = after.split_once(CLOSE) else {
            // No other is closed either.
            out.push_str(&after.replace(OPEN, ""));
            return out;
        };
        match character(name) {
            Some(c) => out.push(c),
            None => out.push_str(&format!("#{name};")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    match name {
        "quot" => Some('"'),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => match name.strip_prefix(['x', 'X']) {
            Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).ok()?),
            None => char::from_u32(name.parse().ok()?),
        },
    }
}

fn class_outline(model: &ClassDiagramModel) -> Outline {
    let nodes = model.classes.values().map(|node| OutlineNode {
        id: node.id.clone(),
        label: as_seen(if node.label.is_empty() { &node.id } else { &node.label }),
        shape: "class".to_owned(),
        stereotypes: node.annotations.iter().map(|text| as_seen(text)).collect(),
        members: node
            .members
            .iter()
            .chain(&node.methods)
            .map(|member| as_written(&member.display_text))
            .collect(),
        parent: node.parent.clone().unwrap_or_default(),
    });
    let groups = model.namespaces.values().map(|space| OutlineGroup {
        id: space.id.clone(),
        label: as_seen(if space.label.is_empty() { &space.id } else { &space.label }),
    });
    Outline {
        nodes: nodes.collect(),
        edges: model.relations.iter().map(class_edge).collect(),
        groups: groups.collect(),
    }
}

fn class_edge(relation: &ClassRelation) -> OutlineEdge {
    let shape = &relation.relation;
    let dotted = shape.line_type == class::LINE_DOTTED;
    let (start, end) = (shape.type1, shape.type2);
    // The kind, and whether the line is written against its direction.
    let (kind, turned) = match (start, end) {
        (class::REL_EXTENSION, _) => (if dotted { "realization" } else { "inheritance" }, true),
        (_, class::REL_EXTENSION) => (if dotted { "realization" } else { "inheritance" }, false),
        (class::REL_COMPOSITION, _) => ("composition", false),
        (_, class::REL_COMPOSITION) => ("composition", true),
        (class::REL_AGGREGATION, _) => ("aggregation", false),
        (_, class::REL_AGGREGATION) => ("aggregation", true),
        (class::REL_LOLLIPOP, _) => ("realization", true),
        (_, class::REL_LOLLIPOP) => ("realization", false),
        (class::REL_DEPENDENCY, class::REL_NONE) => (if dotted { "dependency" } else { "association" }, true),
        (_, class::REL_DEPENDENCY) => (if dotted { "dependency" } else { "association" }, false),
        _ if dotted => ("dependency", false),
        _ => ("link", false),
    };
    let text = |text: &Option<String>| text.as_deref().map(as_seen).unwrap_or_default();
    let first = (relation.id1.clone(), text(&relation.relation_title_1));
    let second = (relation.id2.clone(), text(&relation.relation_title_2));
    let ((from, from_label), (to, to_label)) = if turned { (second, first) } else { (first, second) };
    OutlineEdge {
        from,
        to,
        label: as_seen(relation.title.trim()),
        kind: kind.to_owned(),
        from_label,
        to_label,
    }
}

fn flowchart_outline(model: &FlowchartModel) -> Outline {
    // The innermost frame comes first in Mermaid's list.
    let mut parents: HashMap<&str, &str> = HashMap::new();
    for group in &model.subgraphs {
        for node in &group.nodes {
            parents.entry(node.as_str()).or_insert(&group.id);
        }
    }
    let node = |node: &FlowNode| OutlineNode {
        id: node.id.clone(),
        label: as_seen(node.label.as_deref().unwrap_or(&node.id)),
        shape: node.shape.as_ref().or(node.layout_shape.as_ref()).cloned().unwrap_or_default(),
        stereotypes: node.classes.clone(),
        members: Vec::new(),
        parent: parents.get(node.id.as_str()).copied().unwrap_or_default().to_owned(),
    };
    let edge = |edge: &FlowEdge| OutlineEdge {
        from: edge.from.clone(),
        to: edge.to.clone(),
        label: as_seen(edge.label.as_deref().unwrap_or_default()),
        kind: match (edge.stroke_kind, edge.end_marker) {
            (FlowEdgeStroke::Dotted, _) => "dotted",
            (FlowEdgeStroke::Thick, _) => "thick",
            (FlowEdgeStroke::Normal, FlowEdgeMarker::None) => "open",
            (FlowEdgeStroke::Normal, _) => "arrow",
        }
        .to_owned(),
        ..OutlineEdge::default()
    };
    let groups = model.subgraphs.iter().map(|group| OutlineGroup {
        id: group.id.clone(),
        label: as_seen(if group.title.is_empty() { &group.id } else { &group.title }),
    });
    Outline {
        nodes: model.nodes.iter().filter(|node| !node.is_subgraph_anchor()).map(node).collect(),
        edges: model.edges.iter().map(edge).collect(),
        groups: groups.collect(),
    }
}

fn usecase_outline(model: &UsecaseDiagramModel) -> Outline {
    let nodes = model.nodes.iter().map(|node| OutlineNode {
        id: node.id.clone(),
        label: as_seen(&node.label),
        shape: match node.kind {
            UsecaseNodeKind::Actor => "actor",
            UsecaseNodeKind::UseCaseEllipse | UsecaseNodeKind::UseCaseRect => "usecase",
        }
        .to_owned(),
        stereotypes: node.stereotype.iter().map(|text| as_seen(text)).chain(node.classes.clone()).collect(),
        members: Vec::new(),
        parent: node.parent_id.clone().unwrap_or_default(),
    });
    let edges = model.relationships.iter().map(|relationship| OutlineEdge {
        from: relationship.source.clone(),
        to: relationship.target.clone(),
        label: as_seen(relationship.label.as_deref().unwrap_or_default()),
        kind: match relationship.relationship_type {
            UsecaseRelationshipType::Association => "association",
            UsecaseRelationshipType::Include => "include",
            UsecaseRelationshipType::Extend => "extend",
            UsecaseRelationshipType::Generalization => "generalization",
        }
        .to_owned(),
        ..OutlineEdge::default()
    });
    let groups = model
        .boundaries
        .iter()
        .map(|group| OutlineGroup { id: group.id.clone(), label: as_seen(&group.label) });
    Outline { nodes: nodes.collect(), edges: edges.collect(), groups: groups.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Outline {
        outline(text).unwrap_or_default()
    }

    #[test]
    fn turns_lines_the_right_way() {
        for (line, want) in [
            ("A <|-- B", ("B", "A", "inheritance")),
            ("A --|> B", ("A", "B", "inheritance")),
            ("A ..|> B", ("A", "B", "realization")),
            ("A --* B", ("B", "A", "composition")),
            ("A o-- B", ("A", "B", "aggregation")),
            ("A <-- B", ("B", "A", "association")),
            ("A -- B", ("A", "B", "link")),
            ("A ..> B", ("A", "B", "dependency")),
        ] {
            let edges = seen(&format!("classDiagram\n{line}\n")).edges;
            let edge = edges.first().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.kind.as_str()));
            assert_eq!(edge, Some(want), "{line}");
        }
    }

    #[test]
    fn decodes_what_is_seen_and_keeps_what_is_written() {
        let flow = seen(
            "flowchart TD\n a[\"#lt;b#gt; #35;35#59; #quot;\"]:::x -->|\"#124;\"| b\n classDef x fill:#333;\n",
        );
        assert_eq!(flow.nodes[0].label, "<b> #35; \"");
        assert_eq!(flow.nodes[0].stereotypes, ["x"]);
        assert_eq!(flow.edges[0].label, "|");
        let class =
            seen("classDiagram\nclass A[\"a#quot;b\"] {\n<<interface>>\n+a#40;b\n+run(x: Int) Money\n}\n");
        assert_eq!(class.nodes[0].label, "a\"b");
        assert_eq!(class.nodes[0].stereotypes, ["interface"]);
        assert_eq!(class.nodes[0].members, ["+a#40;b", "+run(x: Int) : Money"]);
    }

    #[test]
    fn other_kinds_have_none() {
        assert_eq!(outline("pie\n\"a\": 1\n"), None);
        assert_eq!(outline("nonsense"), None);
        assert_eq!(outline(""), None);
    }
}
