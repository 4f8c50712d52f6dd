//! Puts classes, attributes, lines and value lists together into a model.
//!
//! Never returns a model that breaks the rules of the blueprint: names are unique, ends exist, counts are capped.

use std::collections::{BTreeMap, BTreeSet};

use blueprint::{Attribute, Class, ClassKind, ClassModel, Relationship, RelationshipKind, Span};

use crate::analysis::{Analysis, TermId};
use crate::classes::attribute_claims::{AttributeClaim, Evidence, attribute_claims};
use crate::classes::attributes;
use crate::classes::choose::choose;
use crate::classes::enums::{self, Values};
use crate::classes::inheritance::{self, IsA};
use crate::classes::questions;
use crate::classes::relationships::{self, Line};
use crate::lexicon;
use crate::names;

const MAX_CLASSES: usize = 80;
const MAX_RELATIONSHIPS: usize = 200;
const MAX_ATTRIBUTES: usize = 60;
const MAX_LITERALS: usize = 60;
const MAX_SOURCES: usize = 12;
/// With fewer classes than this, each is shown.
const FEW_CLASSES: usize = 5;
/// What is mentioned more often is part of the model, even alone.
const FEW_MENTIONS: usize = 3;

/// Drafts a class model.
pub(crate) fn draft(analysis: &Analysis) -> (ClassModel, Vec<String>) {
    let claims = attribute_claims(analysis);
    let kinds = inheritance::kinds(analysis);
    let forced: Vec<TermId> = kinds.iter().filter(|k| k.sure).flat_map(|k| [k.special, k.general]).collect();
    let is_class = choose(analysis, &claims, &forced);
    let mut model = Builder::new(analysis, &is_class);
    model.attributes(&claims);
    for found in questions::asked(analysis, &claims, &is_class) {
        if let Some(owner) = model.place.get(&found.owner).copied() {
            model.attribute(owner, &found.words, found.type_name, found.span);
        }
    }
    for values in enums::values(analysis, &claims) {
        model.values(&values);
    }
    model.inherit(&kinds);
    model.lines(relationships::lines(analysis, &claims, &is_class));
    model.finish()
}

struct Builder<'s> {
    analysis: &'s Analysis,
    classes: Vec<Class>,
    /// Place in `classes` of each term.
    place: BTreeMap<TermId, usize>,
    relationships: Vec<Relationship>,
    notes: Vec<String>,
}

impl<'s> Builder<'s> {
    fn new(analysis: &'s Analysis, is_class: &[bool]) -> Self {
        let mut out = Self {
            analysis,
            classes: Vec::new(),
            place: BTreeMap::new(),
            relationships: Vec::new(),
            notes: Vec::new(),
        };
        let mut order: Vec<TermId> =
            (0..analysis.terms.len()).filter(|id| is_class.get(*id).copied().unwrap_or(false)).collect();
        if order.len() > MAX_CLASSES {
            out.notes.push(format!("Only the {MAX_CLASSES} terms that are mentioned most became classes."));
            order.sort_by_key(|id| std::cmp::Reverse(analysis.terms.get(*id).map_or(0, |t| t.mentions())));
            order.truncate(MAX_CLASSES);
            order.sort_unstable();
        }
        for id in order {
            let Some(term) = analysis.terms.get(id) else {
                continue;
            };
            let name = names::upper_camel(&term.words);
            if name.is_empty() {
                continue;
            }
            // Two spellings of one name are one class.
            let known = out.classes.iter().position(|c| c.name == name);
            let place = known.unwrap_or_else(|| {
                out.classes.push(Class { name, ..Class::default() });
                out.classes.len() - 1
            });
            if let Some(class) = out.classes.get_mut(place) {
                let room = MAX_SOURCES.saturating_sub(class.sources.len());
                class.sources.extend(term.spans.iter().take(room));
            }
            out.place.insert(id, place);
        }
        out
    }

    /// Turns claims about properties into attributes.
    fn attributes(&mut self, claims: &[AttributeClaim]) {
        for claim in claims {
            let Some(owner) = self.place.get(&claim.owner).copied() else {
                continue;
            };
            if self.analysis.term(claim.sentence, claim.phrase).is_some_and(|id| self.place.contains_key(&id))
            {
                continue;
            }
            let Some(parsed) = self.analysis.parsed.get(claim.sentence) else {
                continue;
            };
            let Some(phrase) = parsed.phrases.get(claim.phrase) else {
                continue;
            };
            let head = parsed.head(phrase);
            let property = lexicon::is_attribute_head(head);
            let short = phrase.core.len() <= 4;
            if !short
                || !property
                    && (claim.evidence == Evidence::Mentioned
                        || claim.evidence == Evidence::Has && lexicon::is_generic_noun(head))
            {
                continue;
            }
            let (words, end) = attributes::name_words(parsed, phrase, claim.phrase);
            let mut span = parsed.name_span(phrase);
            if words.iter().any(|w| w == "of") {
                span.end = parsed.span(phrase.start, end).end.max(span.end);
            }
            self.attribute(owner, &words, attributes::type_of(&words), span);
        }
    }

    /// Adds an attribute or, if it is there, one more source for it.
    fn attribute(&mut self, owner: usize, words: &[String], type_name: &str, span: Span) {
        let name = attributes::spelled(words);
        let Some(class) = self.classes.get_mut(owner) else {
            return;
        };
        if name.is_empty() || name.eq_ignore_ascii_case(&class.name) {
            return;
        }
        if let Some(known) = class.attributes.iter_mut().find(|a| a.name == name) {
            if known.sources.len() < MAX_SOURCES && !known.sources.contains(&span) {
                known.sources.push(span);
            }
            return;
        }
        if class.attributes.len() < MAX_ATTRIBUTES {
            class.attributes.push(Attribute {
                name,
                type_name: type_name.to_owned(),
                sources: vec![span],
                ..Attribute::default()
            });
        }
    }

    /// Adds an enumeration and the attribute that has it as its type.
    fn values(&mut self, values: &Values) {
        let Some(owner_term) = values.owner.filter(|id| self.place.contains_key(id)) else {
            return;
        };
        let Some(owner) = self.place.get(&owner_term).copied() else {
            return;
        };
        let Some(term) = self.analysis.terms.get(owner_term) else {
            return;
        };
        let name = enums::enum_name(&term.words, &values.property);
        if name.is_empty() || self.classes.len() >= MAX_CLASSES || self.classes.iter().any(|c| c.name == name)
        {
            return;
        }
        let mut literals: Vec<String> = Vec::new();
        for (literal, _) in &values.literals {
            let words: Vec<String> = literal.split(' ').map(str::to_owned).collect();
            let spelled = names::upper_camel(&words);
            if !spelled.is_empty() && !literals.contains(&spelled) && literals.len() < MAX_LITERALS {
                literals.push(spelled);
            }
        }
        if literals.len() < 2 {
            return;
        }
        let mut sources = vec![values.span];
        sources.extend(values.literals.iter().map(|(_, span)| *span).take(MAX_SOURCES));
        let attribute = attributes::spelled(&values.property);
        if let Some(class) = self.classes.get_mut(owner) {
            match class.attributes.iter_mut().find(|a| a.name == attribute) {
                Some(known) => known.type_name.clone_from(&name),
                None => class.attributes.push(Attribute {
                    name: attribute,
                    type_name: name.clone(),
                    sources: vec![values.span],
                    ..Attribute::default()
                }),
            }
        }
        self.classes.push(Class { name, kind: ClassKind::Enum, literals, sources, ..Class::default() });
    }

    /// The name of the class of a term.
    fn name(&self, term: TermId) -> Option<String> {
        self.place.get(&term).and_then(|place| self.classes.get(*place)).map(|c| c.name.clone())
    }

    /// Adds the inheritance lines.
    fn inherit(&mut self, kinds: &[IsA]) {
        for kind in kinds {
            let (Some(from), Some(to)) = (self.name(kind.special), self.name(kind.general)) else {
                continue;
            };
            if from == to || self.reaches(&to, &from) {
                continue;
            }
            self.relationships.push(Relationship {
                from,
                to,
                kind: RelationshipKind::Inheritance,
                sources: kind.spans.clone(),
                ..Relationship::default()
            });
        }
    }

    /// Whether `from` inherits from `to`, so that a line back would close a circle.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut open = vec![from];
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            open.extend(self.relationships.iter().filter(|r| r.from == name).map(|r| r.to.as_str()));
        }
        false
    }

    /// Adds the other lines: the best one for each pair of classes.
    fn lines(&mut self, mut lines: Vec<Line>) {
        // A stable sort keeps the order of the text among equals.
        lines.sort_by_key(|line| std::cmp::Reverse(line.weight));
        for line in lines {
            let (Some(from), Some(to)) = (self.name(line.from), self.name(line.to)) else {
                continue;
            };
            if self.relationships.len() >= MAX_RELATIONSHIPS {
                break;
            }
            let known = self
                .relationships
                .iter_mut()
                .find(|r| (r.from == from && r.to == to) || (r.from == to && r.to == from));
            if let Some(known) = known {
                // A stated number is worth more than an implied one.
                if line.stated && known.kind != RelationshipKind::Inheritance {
                    let turned = known.from != from;
                    known.multiplicity_from =
                        Some(if turned { line.to_many.clone() } else { line.from_many.clone() });
                    known.multiplicity_to = Some(if turned { line.from_many } else { line.to_many });
                }
                continue;
            }
            self.relationships.push(Relationship {
                from,
                to,
                kind: line.kind,
                label: line.label,
                multiplicity_from: Some(line.from_many),
                multiplicity_to: Some(line.to_many),
                sources: line.spans,
                ..Relationship::default()
            });
        }
    }

    /// Leaves out what prose mentions a few times and gives neither a property nor a relationship.
    fn drop_bare(&mut self) {
        if self.classes.len() < FEW_CLASSES {
            return;
        }
        let linked: BTreeSet<&str> =
            self.relationships.iter().flat_map(|r| [r.from.as_str(), r.to.as_str()]).collect();
        let listed: BTreeSet<usize> = self
            .place
            .iter()
            .filter(|(id, _)| self.analysis.terms.get(**id).is_some_and(|t| t.listed > 0))
            .map(|(_, place)| *place)
            .collect();
        let bare = |(place, class): (usize, &Class)| {
            class.kind == ClassKind::Class
                && class.attributes.is_empty()
                && class.sources.len() <= FEW_MENTIONS
                && !linked.contains(class.name.as_str())
                && !listed.contains(&place)
        };
        let names: Vec<String> = self
            .classes
            .iter()
            .enumerate()
            .filter(|found| bare(*found))
            .map(|(_, class)| class.name.clone())
            .collect();
        self.classes.retain(|class| !names.contains(&class.name));
        if !names.is_empty() {
            self.notes.push(format!(
                "Mentioned without properties or relationships, so left out: {}.",
                names.join(", ")
            ));
        }
    }

    fn finish(mut self) -> (ClassModel, Vec<String>) {
        self.drop_bare();
        if self.classes.is_empty() {
            self.notes.push("No things that could be classes were found in the text.".to_owned());
        }
        (ClassModel { classes: self.classes, relationships: self.relationships }, self.notes)
    }
}
