//! Corrections that do not change the meaning of a diagram.

use std::collections::HashSet;

use super::model::{UseCaseLinkKind, UseCaseModel};
use crate::kinds::names::{Names, Notes};

pub(super) fn normalize(model: &mut UseCaseModel) -> Vec<String> {
    let mut notes = Notes::default();
    notes.tidy(&mut model.system);
    for actor in &mut model.actors {
        notes.tidy(&mut actor.name);
        notes.tidy_option(&mut actor.evidence);
    }
    for use_case in &mut model.use_cases {
        notes.tidy(&mut use_case.name);
        notes.tidy_option(&mut use_case.evidence);
    }
    notes.retain(&mut model.actors, "actor without a name", |actor| !actor.name.is_empty());
    notes.retain(&mut model.use_cases, "use case without a name", |use_case| !use_case.name.is_empty());
    let mut seen = HashSet::new();
    notes.retain(&mut model.actors, "repeated actor", |actor| seen.insert(actor.name.to_lowercase()));
    let mut seen = HashSet::new();
    notes.retain(&mut model.use_cases, "repeated use case", |use_case| {
        seen.insert(use_case.name.to_lowercase())
    });
    let all = || {
        let actors = model.actors.iter().map(|actor| actor.name.as_str());
        actors.chain(model.use_cases.iter().map(|use_case| use_case.name.as_str()))
    };
    let names = Names::new(all());
    let actors: HashSet<&str> = model.actors.iter().map(|actor| actor.name.as_str()).collect();
    for link in &mut model.links {
        notes.tidy(&mut link.from);
        notes.tidy(&mut link.to);
        notes.tidy_option(&mut link.evidence);
        names.resolve(&mut link.from, &mut notes);
        names.resolve(&mut link.to, &mut notes);
        let turned = actors.contains(link.to.as_str()) && !actors.contains(link.from.as_str());
        if link.kind == UseCaseLinkKind::Association && turned {
            std::mem::swap(&mut link.from, &mut link.to);
            notes.note("Turned associations round so that they start at the actor.");
        }
    }
    notes.retain(&mut model.links, "line without ends", |link| !link.from.is_empty() && !link.to.is_empty());
    let mut seen = HashSet::new();
    notes.retain(&mut model.links, "repeated line", |link| {
        seen.insert((link.from.clone(), link.to.clone(), link.kind as u8))
    });
    notes.finish()
}
