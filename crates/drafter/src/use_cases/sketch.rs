//! The use-case model while it is made. Never lets two elements have the same name.

use blueprint::{Actor, Span, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel};

use crate::analysis::Analysis;
use crate::classes::inheritance;
use crate::labels;
use crate::lexicon;
use crate::names;

const MAX_ACTORS: usize = 60;
const MAX_USE_CASES: usize = 120;
const MAX_LINKS: usize = 300;
const MAX_SOURCES: usize = 12;

/// The model while it is made.
pub(super) struct Sketch<'t> {
    pub(super) text: &'t str,
    pub(super) analysis: &'t Analysis,
    pub(super) model: UseCaseModel,
    pub(super) notes: Vec<String>,
}

impl Sketch<'_> {
    /// Adds an actor, or a source to a known one; answers with its name.
    pub(super) fn actor(&mut self, name: &str, external_system: bool, span: Span) -> Option<String> {
        if name.is_empty() || self.model.use_cases.iter().any(|u| u.name.eq_ignore_ascii_case(name)) {
            return None;
        }
        if let Some(known) = self.model.actors.iter_mut().find(|a| a.name.eq_ignore_ascii_case(name)) {
            if known.sources.len() < MAX_SOURCES && !known.sources.contains(&span) {
                known.sources.push(span);
            }
            return Some(known.name.clone());
        }
        if self.model.actors.len() >= MAX_ACTORS {
            return None;
        }
        self.model.actors.push(Actor {
            name: name.to_owned(),
            external_system,
            sources: vec![span],
            ..Actor::default()
        });
        Some(name.to_owned())
    }

    /// The actor that a phrase names, if it names one.
    pub(super) fn actor_of(&mut self, sentence: usize, phrase: usize) -> Option<String> {
        let parsed = self.analysis.parsed.get(sentence)?;
        let mine = parsed.phrases.get(phrase)?;
        let head = parsed.head(mine);
        if mine.pronoun {
            // The analysis has resolved the pronoun.
            let term = self.analysis.terms.get(self.analysis.term(sentence, phrase)?)?;
            let known = self.model.actors.iter().find(|a| a.name.to_lowercase() == term.words.join(" "))?;
            return Some(known.name.clone());
        }
        let words = parsed.name_words(mine);
        let external = lexicon::is_external_head(head) && words.len() > 1
            || (lexicon::is_system_head(head)
                && words.len() > 1
                && mine.quantity != crate::quantity::Quantity::The
                && !self.is_own_system(&words));
        if !external && (!lexicon::is_person(head) || lexicon::is_system_head(head)) {
            return None;
        }
        if self.is_own_system(&words) {
            return None;
        }
        let name = labels::role_name(self.text, parsed, phrase);
        self.actor(&name, external, parsed.name_span(mine))
    }

    /// Whether words name the system that is built.
    fn is_own_system(&self, words: &[String]) -> bool {
        let own = self.model.system.to_lowercase();
        !own.is_empty() && own == words.join(" ")
    }

    /// Adds a use case, or a source to a known one; answers with its name.
    pub(super) fn use_case(&mut self, name: &str, span: Span) -> Option<String> {
        let clash = self.model.actors.iter().any(|a| a.name.eq_ignore_ascii_case(name));
        if name.is_empty() || clash {
            return None;
        }
        let key = comparable(name);
        if let Some(known) = self.model.use_cases.iter_mut().find(|u| comparable(&u.name) == key) {
            if known.sources.len() < MAX_SOURCES && !known.sources.contains(&span) {
                known.sources.push(span);
            }
            return Some(known.name.clone());
        }
        if self.model.use_cases.len() >= MAX_USE_CASES {
            return None;
        }
        self.model.use_cases.push(UseCase {
            name: name.to_owned(),
            sources: vec![span],
            ..UseCase::default()
        });
        Some(name.to_owned())
    }

    /// Adds a line, or a source to a known one.
    pub(super) fn link(&mut self, from: &str, to: &str, kind: UseCaseLinkKind, span: Span) {
        if from == to {
            return;
        }
        if let Some(known) = self.model.links.iter_mut().find(|l| l.from == from && l.to == to) {
            if known.sources.len() < MAX_SOURCES && !known.sources.contains(&span) {
                known.sources.push(span);
            }
            return;
        }
        if self.model.links.len() < MAX_LINKS {
            self.model.links.push(UseCaseLink {
                from: from.to_owned(),
                to: to.to_owned(),
                kind,
                sources: vec![span],
                ..UseCaseLink::default()
            });
        }
    }

    /// `An administrator is a user`: a line between the two actors.
    pub(super) fn generalise(&mut self) {
        for kind in inheritance::kinds(self.analysis) {
            let name = |id: usize| self.analysis.terms.get(id).map(|t| t.words.join(" ")).unwrap_or_default();
            let (special, general) = (name(kind.special), name(kind.general));
            let find = |model: &UseCaseModel, name: &str| {
                model.actors.iter().find(|a| a.name.to_lowercase() == name).map(|a| a.name.clone())
            };
            let Some(span) = kind.spans.first().copied() else {
                continue;
            };
            let special_actor = find(&self.model, &special);
            let general_actor = find(&self.model, &general);
            let person = |name: &str| name.rsplit(' ').next().is_some_and(lexicon::is_person);
            let both_persons = person(&special) && person(&general);
            if !both_persons || (special_actor.is_none() && general_actor.is_none()) {
                continue;
            }
            let from = special_actor.or_else(|| self.actor(&names::capitalised(&special), false, span));
            let general_span = kind.spans.get(1).copied().unwrap_or(span);
            let to = general_actor.or_else(|| self.actor(&names::capitalised(&general), false, general_span));
            if let (Some(from), Some(to)) = (from, to) {
                self.link(&from, &to, UseCaseLinkKind::Generalization, span);
            }
        }
    }

    pub(super) fn finish(mut self) -> (UseCaseModel, Vec<String>) {
        if self.model.use_cases.is_empty() {
            self.notes.push("No use cases were found in the text.".to_owned());
        }
        let lonely: Vec<String> = self
            .model
            .actors
            .iter()
            .filter(|a| !self.model.links.iter().any(|l| l.from == a.name || l.to == a.name))
            .map(|a| a.name.clone())
            .collect();
        self.model.actors.retain(|a| !lonely.contains(&a.name));
        if !lonely.is_empty() {
            self.notes.push(format!("Mentioned without a goal, so left out: {}.", lonely.join(", ")));
        }
        (self.model, self.notes)
    }
}

/// A name without articles and case, so that `View the order` and `View an order` are one use case.
fn comparable(name: &str) -> String {
    name.to_lowercase()
        .split(' ')
        .filter(|w| !matches!(*w, "a" | "an" | "the" | "any" | "all" | "their" | "his" | "her" | "its"))
        .map(lexicon::singular)
        .collect::<Vec<_>>()
        .join(" ")
}
