//! A use-case diagram as Mermaid text.
//!
//! Mermaid 12 has its own notation (`usecase-beta`). All other targets get a flowchart in the notation that UML allows
//! besides stick figures: an actor is a box with the keyword `«actor»` (or `«system»`), a use case a rounded shape
//! inside the boundary. Only letters that every text font has are used. A flowchart has no hollow triangle, so a
//! generalization is a plain arrow with the words `is a`, which readers without UML understand too.
//!
//! Every id has a prefix: none can be a word of the grammar, nor begin with the `o` or `x` that ends an arrow.

use std::collections::HashMap;

use super::model::{Actor, UseCaseLink, UseCaseLinkKind, UseCaseModel};
use crate::{
    compile::{Compiled, Element, ElementKind, Ids, Pairs, Target, Writer, ascii_word},
    escape,
};

pub(super) const ACTOR: &str = "«actor»";
pub(super) const SYSTEM: &str = "«system»";
pub(super) const IS_A: &str = "is a";

/// What a line may end at.
struct End {
    id: String,
    actor: bool,
    /// Another system: it helps the use case, and stands on the other side of it.
    helper: bool,
}

/// Ends by name. An actor and a use case may have the same name; then the meaning of the line decides.
#[derive(Default)]
struct Ends<'a> {
    actors: HashMap<&'a str, End>,
    use_cases: HashMap<&'a str, End>,
}

impl Ends<'_> {
    fn resolve(&self, link: &UseCaseLink) -> Option<(&End, &End)> {
        let actor = |name: &str| self.actors.get(name);
        let use_case = |name: &str| self.use_cases.get(name);
        let (from, to) = (link.from.as_str(), link.to.as_str());
        let (first, second) = match link.kind {
            UseCaseLinkKind::Association => (actor(from).zip(use_case(to)), use_case(from).zip(actor(to))),
            UseCaseLinkKind::Include | UseCaseLinkKind::Extend => (use_case(from).zip(use_case(to)), None),
            UseCaseLinkKind::Generalization => (actor(from).zip(actor(to)), use_case(from).zip(use_case(to))),
        };
        let any = || actor(from).or_else(|| use_case(from)).zip(use_case(to).or_else(|| actor(to)));
        first.or(second).or_else(any)
    }
}

/// Whether UML, and so Mermaid 12, knows such a line.
fn is_sound(kind: UseCaseLinkKind, from: &End, to: &End) -> bool {
    match kind {
        UseCaseLinkKind::Association => true,
        UseCaseLinkKind::Include | UseCaseLinkKind::Extend => !from.actor && !to.actor,
        UseCaseLinkKind::Generalization => from.actor == to.actor,
    }
}

pub(super) fn compile(model: &UseCaseModel, target: Target) -> Compiled {
    let mut ids = Ids::default();
    let mut ends = Ends::default();
    let mut id = |prefix: &str, name: &str| {
        let word = ascii_word(name);
        ids.unique(&format!("{prefix}_{}", if word.is_empty() { "1" } else { &word }))
    };
    let actors: Vec<String> = model.actors.iter().map(|actor| id("actor", &actor.name)).collect();
    let use_cases: Vec<String> = model.use_cases.iter().map(|use_case| id("uc", &use_case.name)).collect();
    let boundary = id("system", &model.system);
    for (actor, id) in model.actors.iter().zip(&actors) {
        let end = End { id: id.clone(), actor: true, helper: actor.external_system };
        ends.actors.entry(actor.name.as_str()).or_insert(end);
    }
    for (use_case, id) in model.use_cases.iter().zip(&use_cases) {
        let end = End { id: id.clone(), actor: false, helper: false };
        ends.use_cases.entry(use_case.name.as_str()).or_insert(end);
    }

    let style = match target {
        Target::Portable => &FLOWCHART,
        Target::Mermaid12 => &USECASE_BETA,
    };
    let mut writer = Writer::new(style.header);
    for (actor, id) in model.actors.iter().zip(&actors) {
        let element = Element {
            id: actor.name.trim().to_owned(),
            mermaid_id: id.clone(),
            label: actor.name.clone(),
            kind: ElementKind::Actor,
            sources: actor.sources.clone(),
            evidence: actor.evidence.clone(),
            ..Element::default()
        };
        writer.draw(1, &(style.actor)(id, actor), element);
    }
    let framed = !escape::clean(&model.system).is_empty() && !use_cases.is_empty();
    if framed {
        writer.line(1, &(style.open)(&boundary, &escape::quoted(&model.system)));
    }
    for (use_case, id) in model.use_cases.iter().zip(&use_cases) {
        let element = Element {
            id: use_case.name.trim().to_owned(),
            mermaid_id: id.clone(),
            label: use_case.name.clone(),
            kind: ElementKind::UseCase,
            sources: use_case.sources.clone(),
            evidence: use_case.evidence.clone(),
            ..Element::default()
        };
        writer.draw(
            if framed { 2 } else { 1 },
            &(style.use_case)(id, &escape::quoted(&use_case.name)),
            element,
        );
    }
    if framed {
        writer.line(1, "end");
    }
    let mut pairs = Pairs::default();
    for link in &model.links {
        let Some((from, to)) = ends.resolve(link) else { continue };
        // Mermaid 12 refuses what is not UML; a flowchart draws it, so that its author sees it. `lint` reports both.
        if target == Target::Mermaid12 && !is_sound(link.kind, from, to) {
            continue;
        }
        let (line, mermaid_id) = link_line(link, from, to, target, &mut pairs);
        let element = Element {
            id: format!("{}--{}", link.from.trim(), link.to.trim()),
            mermaid_id,
            label: label_of(link.kind).to_owned(),
            kind: ElementKind::Link,
            sources: link.sources.clone(),
            evidence: link.evidence.clone(),
            ..Element::default()
        };
        writer.draw(1, &line, element);
    }
    if target == Target::Portable && !model.actors.is_empty() {
        writer.line(1, "classDef actor stroke-width:2px");
        if model.actors.iter().any(|actor| actor.external_system) {
            writer.line(1, "classDef system stroke-width:2px");
        }
    }
    writer.finish()
}

/// The words of one notation.
struct Style {
    header: &'static str,
    actor: fn(&str, &Actor) -> String,
    open: fn(&str, &str) -> String,
    use_case: fn(&str, &str) -> String,
}

static FLOWCHART: Style = Style {
    header: "flowchart LR",
    actor: |id, actor| {
        let (keyword, class) = if actor.external_system { (SYSTEM, "system") } else { (ACTOR, "actor") };
        format!("{id}[\"{keyword}<br/>{}\"]:::{class}", escape::quoted_after_tag(&actor.name))
    },
    open: |id, label| format!("subgraph {id}[\"{label}\"]"),
    use_case: |id, label| format!("{id}([\"{label}\"])"),
};

static USECASE_BETA: Style = Style {
    header: "usecase-beta",
    actor: |id, actor| {
        let keyword = if actor.external_system { " <<system>>" } else { "" };
        format!("actor {id}(\"{}\"){keyword}", escape::quoted(&actor.name))
    },
    open: |id, label| format!("systemBoundary {id}(\"{label}\")"),
    use_case: |id, label| format!("{id}(\"{label}\")"),
};

fn label_of(kind: UseCaseLinkKind) -> &'static str {
    match kind {
        UseCaseLinkKind::Association => "",
        UseCaseLinkKind::Include => "include",
        UseCaseLinkKind::Extend => "extend",
        UseCaseLinkKind::Generalization => IS_A,
    }
}

fn link_line(
    link: &UseCaseLink,
    from: &End,
    to: &End,
    target: Target,
    pairs: &mut Pairs,
) -> (String, String) {
    // A helper is drawn to the right of the use case that it helps: there the line starts at the use case.
    let (from, to) = match link.kind {
        UseCaseLinkKind::Association if from.helper && !to.actor => (to, from),
        _ => (from, to),
    };
    let (a, b) = (&from.id, &to.id);
    let line = match (target, link.kind) {
        (Target::Portable, UseCaseLinkKind::Association) => format!("{a} --- {b}"),
        (Target::Portable, UseCaseLinkKind::Include) => format!("{a} -.->|\"«include»\"| {b}"),
        (Target::Portable, UseCaseLinkKind::Extend) => format!("{a} -.->|\"«extend»\"| {b}"),
        (Target::Portable, UseCaseLinkKind::Generalization) => format!("{a} -->|\"{IS_A}\"| {b}"),
        (Target::Mermaid12, UseCaseLinkKind::Association) => format!("{a} -- {b}"),
        (Target::Mermaid12, UseCaseLinkKind::Include) => format!("{a} ..>:include {b}"),
        (Target::Mermaid12, UseCaseLinkKind::Extend) => format!("{a} ..>:extend {b}"),
        (Target::Mermaid12, UseCaseLinkKind::Generalization) => format!("{a} --|> {b}"),
    };
    (line, pairs.next(a, b))
}
