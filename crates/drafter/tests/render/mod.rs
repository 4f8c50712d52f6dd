//! Compact text pictures of drafts, so that a test is a text and the lines that it should give.

use blueprint::{Blueprint, ClassKind, Kind, RelationshipKind, UseCaseLinkKind};

/// The lines of a draft: elements, then connections.
pub(crate) fn render(kind: Kind, text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    match drafter::draft(kind, text).blueprint {
        Blueprint::Class(model) => {
            for class in &model.classes {
                let mut line = class.name.clone();
                if class.kind == ClassKind::Enum {
                    line = format!("enum {line}[{}]", class.literals.join(", "));
                } else if !class.attributes.is_empty() {
                    let attributes: Vec<String> =
                        class.attributes.iter().map(|a| format!("{}:{}", a.name, a.type_name)).collect();
                    line = format!("{line}({})", attributes.join(", "));
                }
                out.push(line);
            }
            for r in &model.relationships {
                let arrow = match r.kind {
                    RelationshipKind::Inheritance => "--|>".to_owned(),
                    RelationshipKind::Composition => "*--".to_owned(),
                    RelationshipKind::Aggregation => "o--".to_owned(),
                    _ if r.label.is_empty() => "--".to_owned(),
                    _ => format!("--{}-->", r.label),
                };
                let many = |m: &Option<String>| m.as_ref().map(|m| format!("\"{m}\" ")).unwrap_or_default();
                out.push(format!(
                    "{} {}{arrow} {}{}",
                    r.from,
                    many(&r.multiplicity_from),
                    many(&r.multiplicity_to),
                    r.to
                ));
            }
        }
        Blueprint::UseCase(model) => {
            if !model.system.is_empty() {
                out.push(format!("system {}", model.system));
            }
            out.extend(
                model
                    .actors
                    .iter()
                    .map(|a| format!("{} {}", if a.external_system { "external" } else { "actor" }, a.name)),
            );
            for link in &model.links {
                let arrow = match link.kind {
                    UseCaseLinkKind::Association => "--",
                    UseCaseLinkKind::Include => "..include..>",
                    UseCaseLinkKind::Extend => "..extend..>",
                    UseCaseLinkKind::Generalization => "--|>",
                };
                out.push(format!("{} {arrow} {}", link.from, link.to));
            }
        }
        Blueprint::Activity(model) => {
            let name = |id: &str| {
                let Some(node) = model.nodes.iter().find(|n| n.id == id) else {
                    return format!("missing {id}");
                };
                let label = if node.label.is_empty() {
                    format!("{:?}", node.kind).to_lowercase()
                } else {
                    node.label.clone()
                };
                if node.lane.is_empty() { label } else { format!("{label} [{}]", node.lane) }
            };
            for edge in &model.edges {
                let guard =
                    if edge.guard.is_empty() { "->".to_owned() } else { format!("-{}->", edge.guard) };
                out.push(format!("{} {guard} {}", name(&edge.from), name(&edge.to)));
            }
        }
    }
    out.join("\n")
}
