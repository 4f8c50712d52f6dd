//! What makes a use-case diagram tidy, and what makes it wrong.

use std::collections::{HashMap, HashSet};

use super::{UseCaseLinkKind, UseCaseModel};
use crate::{
    Compiled, Lint, Target,
    kinds::{
        Model,
        names::{self, Done, Names},
    },
    lint::{Lints, shorten},
};

/// Longest name that is not called long, in characters.
const LONG_NAME: usize = 80;

impl Model for UseCaseModel {
    fn compile(&self, target: Target) -> Compiled {
        super::compile::compile(self, target)
    }

    fn normalize(&mut self) -> Vec<String> {
        let mut done = Done::default();
        done.tidy(&mut self.system);
        for actor in &mut self.actors {
            done.tidy(&mut actor.name);
            done.tidy_option(&mut actor.evidence);
        }
        for use_case in &mut self.use_cases {
            done.tidy(&mut use_case.name);
            done.tidy_option(&mut use_case.evidence);
        }
        done.retain(&mut self.actors, "actor without a name", |actor| !actor.name.is_empty());
        done.retain(&mut self.use_cases, "use case without a name", |use_case| !use_case.name.is_empty());
        let mut seen = HashSet::new();
        done.retain(&mut self.actors, "repeated actor", |actor| seen.insert(actor.name.to_lowercase()));
        let mut seen = HashSet::new();
        done.retain(&mut self.use_cases, "repeated use case", |use_case| {
            seen.insert(use_case.name.to_lowercase())
        });
        let all = || {
            let actors = self.actors.iter().map(|actor| actor.name.as_str());
            actors.chain(self.use_cases.iter().map(|use_case| use_case.name.as_str()))
        };
        let names = Names::new(all());
        let actors: HashSet<&str> = self.actors.iter().map(|actor| actor.name.as_str()).collect();
        for link in &mut self.links {
            done.tidy(&mut link.from);
            done.tidy(&mut link.to);
            done.tidy_option(&mut link.evidence);
            names.resolve(&mut link.from, &mut done);
            names.resolve(&mut link.to, &mut done);
            let turned = actors.contains(link.to.as_str()) && !actors.contains(link.from.as_str());
            if link.kind == UseCaseLinkKind::Association && turned {
                std::mem::swap(&mut link.from, &mut link.to);
                done.note("Turned associations round so that they start at the actor.");
            }
        }
        done.retain(&mut self.links, "line without ends", |link| {
            !link.from.is_empty() && !link.to.is_empty()
        });
        let mut seen = HashSet::new();
        done.retain(&mut self.links, "repeated line", |link| {
            seen.insert((link.from.clone(), link.to.clone(), link.kind as u8))
        });
        done.finish()
    }

    fn lint(&self) -> Vec<Lint> {
        let mut lints = Lints::default();
        if self.actors.is_empty() && self.use_cases.is_empty() {
            let hint = "Say who wants what from the system.";
            lints.add("BP003", "use_cases", None, "There are no actors and no use cases.", hint);
        }
        let mut seen = HashSet::new();
        for (at, actor) in self.actors.iter().enumerate() {
            lints.name(&format!("actors[{at}].name"), &actor.name, LONG_NAME, &mut seen);
        }
        for (at, use_case) in self.use_cases.iter().enumerate() {
            lints.name(&format!("use_cases[{at}].name"), &use_case.name, LONG_NAME, &mut seen);
        }
        lint_links(&mut lints, self);
        lint_participation(&mut lints, self);
        lints.finish()
    }

    fn describe(&self) -> String {
        let counts = [
            names::count(self.actors.len(), "actor", "actors"),
            names::count(self.use_cases.len(), "use case", "use cases"),
            names::count(self.links.len(), "relationship", "relationships"),
        ];
        let system = match self.system.trim() {
            "" => String::new(),
            system => format!("{}: ", shorten(system)),
        };
        let actors = names::list(self.actors.iter().map(|actor| actor.name.as_str()));
        let use_cases = names::list(self.use_cases.iter().map(|use_case| use_case.name.as_str()));
        format!("{system}{}: {actors}; {use_cases}", counts.join(", "))
    }
}

/// Everything that a line may end at, with its place among all and whether it is an actor.
fn places(model: &UseCaseModel) -> HashMap<&str, (usize, bool)> {
    let actors = model.actors.iter().map(|actor| (actor.name.as_str(), true));
    let all = actors.chain(model.use_cases.iter().map(|use_case| (use_case.name.as_str(), false)));
    let mut places = HashMap::new();
    for (at, (name, actor)) in all.enumerate() {
        places.entry(name).or_insert((at, actor));
    }
    places
}

fn lint_links(lints: &mut Lints, model: &UseCaseModel) {
    let places = places(model);
    let known: Vec<&str> = model
        .actors
        .iter()
        .map(|a| a.name.as_str())
        .chain(model.use_cases.iter().map(|u| u.name.as_str()))
        .collect();
    let (mut includes, mut generals) = (Vec::new(), Vec::new());
    for (at, link) in model.links.iter().enumerate() {
        let element = format!("{}--{}", link.from, link.to);
        for (end, name) in [("from", &link.from), ("to", &link.to)] {
            if !places.contains_key(name.as_str()) {
                lints.dangling(format!("links[{at}].{end}"), element.clone(), name, &known);
            }
        }
        let (Some(from), Some(to)) = (places.get(link.from.as_str()), places.get(link.to.as_str())) else {
            continue;
        };
        let path = format!("links[{at}]");
        let (wrong, hint) = match link.kind {
            UseCaseLinkKind::Association if from.1 && to.1 => {
                let message =
                    format!("Actors `{}` and `{}` are associated.", shorten(&link.from), shorten(&link.to));
                let hint = "Connect each to a use case, or make it a generalization.";
                lints.add("BP022", path, Some(element), message, hint);
                continue;
            }
            UseCaseLinkKind::Association => {
                (from.1 == to.1, "Start it at an actor, or make it include or extend.")
            }
            UseCaseLinkKind::Include | UseCaseLinkKind::Extend => {
                includes.push((from.0, to.0));
                (from.1 || to.1, "Connect two use cases, or make it an association.")
            }
            UseCaseLinkKind::Generalization => {
                generals.push((from.0, to.0));
                (from.1 != to.1, "Connect two actors or two use cases.")
            }
        };
        if wrong {
            let message = format!("It cannot connect `{}` and `{}`.", shorten(&link.from), shorten(&link.to));
            lints.add("BP023", path, Some(element), message, hint);
        }
    }
    for edges in [includes, generals] {
        if let Some(cycle) = names::find_cycle(&edges, known.len()) {
            let mut round: Vec<String> =
                cycle.iter().filter_map(|at| known.get(*at)).map(|n| shorten(n)).collect();
            round.extend(round.first().cloned());
            let element = cycle.first().and_then(|at| known.get(*at)).map(|name| (*name).to_owned());
            let message = format!("A circle: {}.", round.join(" → "));
            lints.add("BP024", "links", element, message, "Remove the line that is the wrong way round.");
        }
    }
}

fn lint_participation(lints: &mut Lints, model: &UseCaseModel) {
    let at_links = |name: &str, wanted: fn(UseCaseLinkKind) -> bool| {
        model.links.iter().any(|link| wanted(link.kind) && (link.from == name || link.to == name))
    };
    for (at, actor) in model.actors.iter().enumerate() {
        // A special actor takes part through the general one, and the other way round.
        if !at_links(&actor.name, |_| true) {
            let message = format!("The actor `{}` takes part in no use case.", shorten(&actor.name));
            let hint = "Connect it to what it wants from the system.";
            lints.add("BP020", format!("actors[{at}]"), Some(actor.name.clone()), message, hint);
        }
    }
    for (at, use_case) in model.use_cases.iter().enumerate() {
        if !at_links(&use_case.name, |_| true) {
            let message = format!("No actor takes part in `{}`.", shorten(&use_case.name));
            let hint = "Connect the actor who wants it, or the use case that includes it.";
            lints.add("BP021", format!("use_cases[{at}]"), Some(use_case.name.clone()), message, hint);
        } else if !serves_someone(model, &use_case.name) {
            let message =
                format!("`{}` only includes others; no actor takes part in it.", shorten(&use_case.name));
            let hint = "Connect the actor who wants it.";
            lints.add("BP021", format!("use_cases[{at}]"), Some(use_case.name.clone()), message, hint);
        }
    }
}

/// Somebody takes part in it, something includes it, it extends something, or it is a special or general form.
fn serves_someone(model: &UseCaseModel, name: &str) -> bool {
    model.links.iter().any(|link| match link.kind {
        UseCaseLinkKind::Association | UseCaseLinkKind::Generalization => {
            link.from == name || link.to == name
        }
        UseCaseLinkKind::Include => link.to == name,
        UseCaseLinkKind::Extend => link.from == name,
    })
}
