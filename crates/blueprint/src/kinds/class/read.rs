//! A class diagram read back from what a Mermaid parser saw.

use diagram::{Outline, OutlineEdge, OutlineNode};

use super::{
    compile,
    model::{Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility},
};
use crate::escape;

/// What Mermaid's stereotypes mean; more than the compiler writes.
const STEREOTYPES: [(&str, ClassKind); 8] = [
    ("enumeration", ClassKind::Enum),
    ("enum", ClassKind::Enum),
    ("interface", ClassKind::Interface),
    ("protocol", ClassKind::Interface),
    ("trait", ClassKind::Interface),
    ("abstract", ClassKind::Abstract),
    ("abstract class", ClassKind::Abstract),
    ("abstractclass", ClassKind::Abstract),
];

pub(crate) fn read(outline: &Outline) -> Option<ClassModel> {
    let classes: Vec<Class> = outline.nodes.iter().map(read_class).collect();
    if classes.is_empty() {
        return None;
    }
    let name = |id: &str| {
        outline
            .nodes
            .iter()
            .zip(&classes)
            .find(|(node, _)| node.id == id)
            .map_or(id, |(_, class)| &class.name)
            .to_owned()
    };
    let relationships = outline
        .edges
        .iter()
        .map(|edge| Relationship {
            from: name(&edge.from),
            to: name(&edge.to),
            kind: read_kind(edge),
            label: edge.label.clone(),
            multiplicity_from: Some(edge.from_label.clone()).filter(|text| !text.is_empty()),
            multiplicity_to: Some(edge.to_label.clone()).filter(|text| !text.is_empty()),
            ..Relationship::default()
        })
        .collect();
    Some(ClassModel { classes, relationships })
}

fn read_class(node: &OutlineNode) -> Class {
    let label = node.label.trim();
    let kind = node
        .stereotypes
        .iter()
        .find_map(|word| STEREOTYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim())))
        .map_or(ClassKind::Class, |(_, kind)| *kind);
    let mut class = Class {
        name: if label.is_empty() { node.id.clone() } else { label.to_owned() },
        kind,
        ..Class::default()
    };
    for line in &node.members {
        let (visibility, text) = read_visibility(line.trim());
        if text.is_empty() {
            continue;
        }
        match (text.find('('), visibility) {
            (_, None) if kind == ClassKind::Enum => class.literals.push(escape::decode(text)),
            (Some(at), _) if text.contains(')') => class.methods.push(read_method(text, at, visibility)),
            _ => class.attributes.push(read_attribute(text, visibility)),
        }
    }
    class
}

fn read_visibility(line: &str) -> (Option<Visibility>, &str) {
    let visibility = match line.chars().next() {
        Some('+') => Visibility::Public,
        Some('-') => Visibility::Private,
        Some('#') => Visibility::Protected,
        Some('~') => Visibility::Package,
        _ => return (None, line),
    };
    (Some(visibility), line[1..].trim_start())
}

fn read_attribute(text: &str, visibility: Option<Visibility>) -> Attribute {
    let text = text.trim_end_matches(['$', '*']).trim_end();
    let (name, type_name) =
        if let Some((name, kind)) = text.split_once(": ").or_else(|| text.split_once(" :")) {
            (name.trim(), kind.trim())
        } else {
            match text.split_once(' ') {
                Some((kind, name)) if !name.contains(' ') && compile::reads_as_type(kind) => (name, kind),
                _ => (text, ""),
            }
        };
    Attribute {
        name: escape::decode(name),
        type_name: read_type(type_name),
        visibility: visibility.unwrap_or_default(),
        ..Attribute::default()
    }
}

fn read_method(text: &str, open: usize, visibility: Option<Visibility>) -> Method {
    let close = text.rfind(')').filter(|close| *close > open).unwrap_or(text.len());
    let returns = text.get(close + 1..).unwrap_or_default();
    let returns = returns.trim_matches(['$', '*', ' ']).trim_start_matches(':').trim();
    Method {
        name: escape::decode(text[..open].trim()),
        parameters: split_parameters(text.get(open + 1..close).unwrap_or_default()),
        returns: read_type(returns),
        visibility: visibility.unwrap_or_default(),
        ..Method::default()
    }
}

/// `a: Map<K, V>, b` are two parameters.
fn split_parameters(text: &str) -> Vec<String> {
    let mut parameters = vec![String::new()];
    let mut depth = 0_usize;
    // A comma inside brackets, escaped or not, does not part.
    let text = &text.replace("#lt;", "<").replace("#gt;", ">");
    for c in text.chars() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parameters.push(String::new());
        } else if let Some(last) = parameters.last_mut() {
            last.push(c);
        }
    }
    parameters
        .iter()
        .map(|parameter| escape::decode(parameter.trim()))
        .filter(|parameter| !parameter.is_empty())
        .collect()
}

/// A type as a person sees it: `List~Order~` is `List<Order>`.
fn read_type(text: &str) -> String {
    let generic = text.strip_suffix('~').and_then(|text| text.split_once('~'));
    match generic {
        Some((outer, inner)) => escape::decode(&format!("{outer}<{inner}>")),
        None => escape::decode(text),
    }
}

fn read_kind(edge: &OutlineEdge) -> RelationshipKind {
    match edge.kind.as_str() {
        "inheritance" => RelationshipKind::Inheritance,
        "realization" => RelationshipKind::Realization,
        "composition" => RelationshipKind::Composition,
        "aggregation" => RelationshipKind::Aggregation,
        "dependency" => RelationshipKind::Dependency,
        _ => RelationshipKind::Association,
    }
}
