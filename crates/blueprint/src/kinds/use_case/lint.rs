//! What can be wrong with a diagram of this kind.

use std::collections::{HashMap, HashSet};

use super::model::{UseCaseLinkKind, UseCaseModel};
use crate::{
    kinds::names,
    lint::{EMPTY_DIAGRAM, Lint, Lints},
    text::shorten,
};

/// Longest name that is not called long, in characters.
const LONG_NAME: usize = 80;

rules! {
    /// ## What it finds
    /// An actor that takes part in no use case.
    ///
    /// ## Why it breaks
    /// The diagram does not say what the actor wants from the system.
    ///
    /// ## Fix
    /// Connect it to a use case, or remove it.
    IDLE_ACTOR, "BP020", "idle-actor", Warning;

    /// ## What it finds
    /// A use case in which no actor takes part, and that no other use case includes, extends or specializes.
    ///
    /// ## Why it breaks
    /// The diagram does not say who wants it.
    ///
    /// ## Fix
    /// Connect the actor who wants it, or the use case that includes it.
    UNUSED_USE_CASE, "BP021", "unused-use-case", Warning;

    /// ## What it finds
    /// Two actors that are associated with each other.
    ///
    /// ## Why it breaks
    /// What happens between people outside the system is not a use case.
    ///
    /// ## Fix
    /// Connect each to a use case. If one is a special form of the other, use a generalization.
    ASSOCIATED_ACTORS, "BP022", "talking-actors", Warning;

    /// ## What it finds
    /// A line that cannot connect its two ends.
    ///
    /// ## Why it breaks
    /// Include and extend connect two use cases; a generalization connects two actors or two use cases; an
    /// association connects an actor with a use case.
    ///
    /// ## Fix
    /// Change the kind of the line, or one of its ends.
    WRONG_ENDS, "BP023", "wrong-ends", Error;

    /// ## What it finds
    /// Use cases that include or extend one another, or elements that generalize one another, in a circle.
    ///
    /// ## Why it breaks
    /// None of them could come first.
    ///
    /// ## Fix
    /// Remove the line that is the wrong way round.
    USE_CASE_CYCLE, "BP024", "use-case-cycle", Error;
}

pub(super) fn lint(model: &UseCaseModel) -> Vec<Lint> {
    let mut lints = Lints::default();
    if model.actors.is_empty() && model.use_cases.is_empty() {
        let hint = "Say who wants what from the system.";
        lints.add(&EMPTY_DIAGRAM, "use_cases", None, "There are no actors and no use cases.", hint);
    }
    let mut seen = HashSet::new();
    for (at, actor) in model.actors.iter().enumerate() {
        lints.name(&format!("actors[{at}].name"), &actor.name, LONG_NAME, &mut seen);
    }
    for (at, use_case) in model.use_cases.iter().enumerate() {
        lints.name(&format!("use_cases[{at}].name"), &use_case.name, LONG_NAME, &mut seen);
    }
    lint_links(&mut lints, model);
    lint_participation(&mut lints, model);
    lints.finish()
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
                lints.add(&ASSOCIATED_ACTORS, path, Some(element), message, hint);
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
            lints.add(&WRONG_ENDS, path, Some(element), message, hint);
        }
    }
    for edges in [includes, generals] {
        if let Some(cycle) = names::cycle_of_names(&edges, &known) {
            let message = format!("A circle: {}.", names::cycle_text(&cycle));
            let element = cycle.into_iter().next();
            lints.add(
                &USE_CASE_CYCLE,
                "links",
                element,
                message,
                "Remove the line that is the wrong way round.",
            );
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
            lints.add(&IDLE_ACTOR, format!("actors[{at}]"), Some(actor.name.clone()), message, hint);
        }
    }
    for (at, use_case) in model.use_cases.iter().enumerate() {
        if !at_links(&use_case.name, |_| true) {
            let message = format!("No actor takes part in `{}`.", shorten(&use_case.name));
            let hint = "Connect the actor who wants it, or the use case that includes it.";
            lints.add(
                &UNUSED_USE_CASE,
                format!("use_cases[{at}]"),
                Some(use_case.name.clone()),
                message,
                hint,
            );
        } else if !serves_someone(model, &use_case.name) {
            let message =
                format!("`{}` only includes others; no actor takes part in it.", shorten(&use_case.name));
            let hint = "Connect the actor who wants it.";
            lints.add(
                &UNUSED_USE_CASE,
                format!("use_cases[{at}]"),
                Some(use_case.name.clone()),
                message,
                hint,
            );
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
