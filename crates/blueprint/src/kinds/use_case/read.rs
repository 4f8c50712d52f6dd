//! A use-case diagram read back from what a Mermaid parser saw, in either notation.

use diagram::{Outline, OutlineEdge, OutlineNode};

use super::{
    compile::{ACTOR, IS_A, SYSTEM},
    model::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel},
};

/// What a box stands for.
enum Part {
    Actor(Actor),
    UseCase(UseCase),
}

pub(crate) fn read(outline: &Outline) -> Option<UseCaseModel> {
    let mut model = UseCaseModel::default();
    // Name by id, and whether it is an actor.
    let mut names: Vec<(&str, String, bool)> = Vec::new();
    for node in &outline.nodes {
        match read_part(node) {
            Part::Actor(actor) => {
                names.push((&node.id, actor.name.clone(), true));
                model.actors.push(actor);
            }
            Part::UseCase(use_case) => {
                names.push((&node.id, use_case.name.clone(), false));
                model.use_cases.push(use_case);
            }
        }
    }
    if names.is_empty() {
        return None;
    }
    model.system = outline.groups.first().map(|group| group.label.trim().to_owned()).unwrap_or_default();
    let find = |id: &str| names.iter().find(|(known, _, _)| *known == id);
    for edge in &outline.edges {
        let (Some(from), Some(to)) = (find(&edge.from), find(&edge.to)) else {
            continue;
        };
        let kind = read_kind(edge);
        // An association starts at its actor, however it was drawn.
        let turned = kind == UseCaseLinkKind::Association && to.2 && !from.2;
        let (from, to) = if turned { (to, from) } else { (from, to) };
        model.links.push(UseCaseLink {
            from: from.1.clone(),
            to: to.1.clone(),
            kind,
            ..UseCaseLink::default()
        });
    }
    Some(model)
}

fn read_part(node: &OutlineNode) -> Part {
    let has = |word: &str| node.stereotypes.iter().any(|known| known == word);
    let label = node.label.trim();
    let label = if label.is_empty() { node.id.as_str() } else { label };
    let keyword = |keyword: &str| {
        let rest = label.strip_prefix(keyword)?.trim_start();
        let rest =
            ["<br/>", "<br>", "<br />", "\n"].iter().find_map(|br| rest.strip_prefix(br)).unwrap_or(rest);
        Some(rest.trim().to_owned())
    };
    let (as_actor, as_system) = (keyword(ACTOR), keyword(SYSTEM));
    let actor = has("actor") || node.shape == "actor" || as_actor.is_some();
    let system = has("system") || as_system.is_some();
    if actor || system {
        let name = as_actor.or(as_system).unwrap_or_else(|| label.to_owned());
        return Part::Actor(Actor { name, external_system: system, ..Actor::default() });
    }
    Part::UseCase(UseCase { name: label.to_owned(), ..UseCase::default() })
}

fn read_kind(edge: &OutlineEdge) -> UseCaseLinkKind {
    let label = edge.label.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    match (edge.kind.as_str(), label.as_str()) {
        ("include", _) | (_, "include" | "includes") => UseCaseLinkKind::Include,
        ("extend", _) | (_, "extend" | "extends") => UseCaseLinkKind::Extend,
        ("generalization", _) | (_, IS_A) => UseCaseLinkKind::Generalization,
        _ => UseCaseLinkKind::Association,
    }
}
