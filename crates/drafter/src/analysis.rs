//! The analysis of a text: its sentences, clauses, and noun terms with their roles.
//!
//! Never decides what becomes a class; `choose.rs` does, with the counts from here.

use std::collections::{BTreeMap, BTreeSet};

use blueprint::Span;

use crate::clauses::{Clause, clauses};
use crate::lexicon;
use crate::phrases::{Parsed, Phrase};
use crate::quantity::Quantity;
use crate::source::{Role, Sentence};
use crate::tag::Tag;
use crate::work;

/// Counts one role of a term.
type Count = fn(&mut Term);

/// A place in [`Analysis::terms`].
pub(crate) type TermId = usize;

/// A term and the roles it plays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Term {
    /// Its words, singular, in lower case.
    pub(crate) words: Vec<String>,
    /// Where its name stands.
    pub(crate) spans: Vec<Span>,
    /// Other names that mean the same.
    pub(crate) variants: BTreeSet<Vec<String>>,
    /// The sentences in which it appears.
    pub(crate) sentences: Vec<usize>,
    /// How often it is the subject of an active verb.
    pub(crate) subject: usize,
    /// How often it is the object of a verb or the subject of a passive one.
    pub(crate) object: usize,
    /// How often it stands after a preposition.
    pub(crate) complement: usize,
    /// How often it possesses something.
    pub(crate) possessor: usize,
    /// How often it is possessed.
    pub(crate) possessed: usize,
    /// How often `each` or `every` stands before it.
    pub(crate) each: usize,
    /// How often it is a plural.
    pub(crate) plural: usize,
    /// How often it is written like a proper name: a capital letter, no article, no plural.
    pub(crate) named: usize,
    /// The same, where the capital is not that of the sentence.
    pub(crate) named_inside: usize,
    /// How often it is the subject of the first sentence.
    pub(crate) opening: usize,
    /// How often it stands in brackets after the name of the system.
    pub(crate) alias: bool,
    /// How often it stands in an item, a story or a step of a scenario.
    pub(crate) listed: usize,
    /// How often `a` stands before it, or a number.
    pub(crate) single: usize,
    /// How often it is the unit of a measure: `a weight in grams`.
    pub(crate) unit: usize,
    /// How often it stands in a value list or an example.
    pub(crate) example: usize,
}

impl Term {
    /// The head noun.
    pub(crate) fn head(&self) -> &str {
        work::step();
        self.words.last().map_or("", String::as_str)
    }

    /// How often it is mentioned.
    pub(crate) fn mentions(&self) -> usize {
        self.spans.len()
    }
}

/// A whole text, read once.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    /// The sentences.
    pub(crate) parsed: Vec<Parsed>,
    /// The clauses of each sentence.
    pub(crate) clauses: Vec<Vec<Clause>>,
    pub(crate) terms: Vec<Term>,
    /// For each sentence and phrase: its term.
    term_of: Vec<Vec<Option<TermId>>>,
}

impl Analysis {
    /// Reads sentences of a text.
    pub(crate) fn new(text: &str, sentences: Vec<Sentence>) -> Self {
        let parsed = crate::phrases::parse(text, sentences);
        let clauses: Vec<Vec<Clause>> = parsed.iter().map(clauses).collect();
        let mut analysis = Self { parsed, clauses, ..Self::default() };
        analysis.collect_terms();
        analysis.resolve_pronouns();
        analysis.count_roles();
        analysis.mark_aliases();
        analysis
    }

    /// The term of a phrase; for a pronoun, the term it stands for.
    pub(crate) fn term(&self, sentence: usize, phrase: usize) -> Option<TermId> {
        work::step();
        self.term_of.get(sentence)?.get(phrase).copied().flatten()
    }

    /// A phrase of a sentence.
    pub(crate) fn phrase(&self, sentence: usize, phrase: usize) -> Option<&Phrase> {
        self.parsed.get(sentence)?.phrases.get(phrase)
    }

    /// The parentheticals of a sentence: their place, and the token there that they follow.
    pub(crate) fn parentheticals(&self, sentence: usize) -> impl Iterator<Item = (usize, usize, &Parsed)> {
        // They stand directly behind their sentence.
        self.parsed.iter().enumerate().skip(sentence + 1).map_while(move |(place, parsed)| {
            work::step();
            parsed
                .parenthetical_of
                .filter(|(parent, _)| *parent == sentence)
                .map(|(_, after)| (place, after, parsed))
        })
    }

    /// The first term that fits.
    pub(crate) fn find_term(&self, fits: impl Fn(&Term) -> bool) -> Option<TermId> {
        self.terms.iter().position(|term| {
            work::step();
            fits(term)
        })
    }

    /// Makes a term of every noun phrase that has a usable name.
    fn collect_terms(&mut self) {
        let mut known: BTreeMap<String, TermId> = BTreeMap::new();
        let keys: Vec<Vec<Option<Vec<String>>>> = self
            .parsed
            .iter()
            .map(|p| p.phrases.iter().map(|phrase| term_words(p, phrase)).collect())
            .collect();
        let benefits: Vec<Option<usize>> = self.parsed.iter().map(Parsed::benefit_start).collect();
        let mut merge = merges(&keys, &self.kinds_apart(&keys));
        merge.extend(self.abbreviations(&keys));
        for (sentence, row) in keys.iter().enumerate() {
            let mut ids = Vec::with_capacity(row.len());
            for (place, words) in row.iter().enumerate() {
                let Some(words) = words else {
                    ids.push(None);
                    continue;
                };
                let key = words.join(" ");
                let key = merge.get(&key).cloned().unwrap_or(key);
                let id = *known.entry(key.clone()).or_insert_with(|| {
                    self.terms
                        .push(Term { words: key.split(' ').map(str::to_owned).collect(), ..Term::default() });
                    self.terms.len() - 1
                });
                if let (Some(term), Some(parsed)) = (self.terms.get_mut(id), self.parsed.get(sentence))
                    && let Some(phrase) = parsed.phrases.get(place)
                {
                    term.spans.push(parsed.name_span(phrase));
                    term.variants.insert(words.clone());
                    let explains =
                        benefits.get(sentence).copied().flatten().is_some_and(|at| phrase.start > at);
                    let measured = phrase.start.checked_sub(2).is_some_and(|before| {
                        parsed.word(before + 1) == "in"
                            && phrase.quantity == Quantity::Unsaid
                            && parsed.tokens.get(before).is_some_and(|t| lexicon::is_attribute_head(&t.lemma))
                    });
                    // `3 EUR`
                    let priced = phrase.core.last().is_some_and(|head| {
                        let number = head.checked_sub(1).and_then(|before| parsed.tag(before));
                        number == Some(Tag::Number)
                            && parsed.tokens.get(*head).is_some_and(|t| t.token.shouted)
                    });
                    term.unit += usize::from(measured || priced);
                    if !explains && term.sentences.last() != Some(&sentence) {
                        term.sentences.push(sentence);
                    }
                    let head = phrase.core.last().and_then(|at| parsed.tokens.get(*at));
                    let capital = head.is_some_and(|t| t.token.capital);
                    let bare = matches!(phrase.quantity, Quantity::Unsaid) && !phrase.plural;
                    term.named += usize::from(capital && bare);
                    term.named_inside +=
                        usize::from(capital && bare && (phrase.start > 0 || phrase.core.len() > 1));
                    term.opening += usize::from(sentence == 0 && place == 0);
                    term.plural += usize::from(phrase.plural);
                    let from_list = parsed.sentence.item
                        || matches!(
                            parsed.sentence.role,
                            Role::Story | Role::Given | Role::When | Role::Then
                        );
                    term.listed += usize::from(from_list && !explains);
                    term.single += usize::from(matches!(phrase.quantity, Quantity::A | Quantity::Range(..)));
                    term.each += usize::from(phrase.quantity == Quantity::Each);
                    term.possessed += usize::from(phrase.owner.is_some() || phrase.possessive.is_some());
                }
                ids.push(Some(id));
            }
            self.term_of.push(ids);
        }
    }

    /// `a travel claim (TC)`: the letters in brackets stand for the words before them.
    fn abbreviations(&self, keys: &[Vec<Option<Vec<String>>>]) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for inside in &self.parsed {
            let (Some((parent, after)), [only]) = (inside.parenthetical_of, inside.tokens.as_slice()) else {
                continue;
            };
            let phrase = self.parsed.get(parent).and_then(|p| p.phrases.iter().position(|p| p.end == after));
            let words = phrase.and_then(|place| keys.get(parent)?.get(place)?.as_ref());
            let Some(words) = words.filter(|w| w.len() > 1 && only.token.shouted) else { continue };
            let initials: String = words.iter().filter_map(|w| w.chars().next()).collect();
            let short = lexicon::singular(only.lower());
            if initials == short {
                out.insert(short, words.join(" "));
            }
        }
        out
    }

    /// Marks the names of the system itself: `the Fleet application`, `the … System (FMS)`.
    fn mark_aliases(&mut self) {
        let mut aliases: BTreeSet<Vec<String>> = BTreeSet::new();
        for (sentence, parsed) in self.parsed.iter().enumerate() {
            for phrase in &parsed.phrases {
                let capital = phrase
                    .core
                    .iter()
                    .any(|at| *at > 0 && parsed.tokens.get(*at).is_some_and(|t| t.token.capital));
                if !lexicon::is_system_head(parsed.head(phrase)) {
                    continue;
                }
                let words = parsed.name_words(phrase);
                if let Some((_, name)) = words.split_last().filter(|(_, name)| !name.is_empty() && capital) {
                    aliases.insert(name.to_vec());
                }
                let behind = self.parentheticals(sentence).filter(|(_, after, _)| *after == phrase.end);
                for parenthetical in behind.map(|(.., p)| p).filter(|p| p.tokens.len() <= 2) {
                    aliases.extend(parenthetical.phrases.iter().map(|p| parenthetical.name_words(p)));
                }
            }
        }
        for term in &mut self.terms {
            term.alias = aliases.contains(&term.words);
        }
    }

    /// Compounds that the text itself sets apart from their head: `a cargo bike is a special bike`.
    fn kinds_apart(&self, keys: &[Vec<Option<Vec<String>>>]) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for (parsed, row) in self.parsed.iter().zip(keys) {
            for (place, words) in row.iter().enumerate() {
                let (Some(words), Some(phrase)) = (words, parsed.phrases.get(place)) else {
                    continue;
                };
                let special = phrase.kind_of
                    || phrase
                        .core
                        .iter()
                        .any(|at| matches!(parsed.word(*at), "special" | "normal" | "regular"));
                for (other, compound) in row.iter().enumerate() {
                    let Some(compound) =
                        compound.as_ref().filter(|c| c.len() > words.len() && c.ends_with(words))
                    else {
                        continue;
                    };
                    let Some(second) = parsed.phrases.get(other) else {
                        continue;
                    };
                    let copula = place == other + 1
                        && (second.end..phrase.start).any(|at| parsed.tag(at) == Some(Tag::Be));
                    if special || copula {
                        out.insert(compound.join(" "));
                    }
                }
            }
        }
        out
    }

    /// Gives every pronoun the term it stands for: the last fitting subject.
    fn resolve_pronouns(&mut self) {
        let mut last: Vec<TermId> = Vec::new();
        for sentence in 0..self.parsed.len() {
            let Some(parsed) = self.parsed.get(sentence) else {
                continue;
            };
            let Some(row) = self.clauses.get(sentence) else {
                continue;
            };
            let mut subjects: Vec<(usize, TermId)> = Vec::new();
            for clause in row {
                for subject in clause.subjects.iter().take(1) {
                    let start = parsed.phrases.get(*subject).map_or(0, |p| p.start);
                    if let Some(term) = self.term(sentence, *subject) {
                        subjects.push((start, term));
                    }
                }
            }
            let mut resolved = Vec::new();
            for (place, phrase) in parsed.phrases.iter().enumerate() {
                let word = parsed.word(phrase.start);
                if phrase.pronoun && matches!(word, "i" | "me") {
                    if let Some(role) = self.role(sentence) {
                        resolved.push((place, role));
                    }
                    continue;
                }
                if !phrase.pronoun || !matches!(word, "it" | "they" | "them" | "he" | "she" | "him") {
                    continue;
                }
                let person_wanted = matches!(word, "he" | "she" | "him");
                let fits = |id: &TermId| {
                    let Some(term) = self.terms.get(*id) else {
                        return false;
                    };
                    let person = lexicon::is_person(term.head());
                    let thing = !lexicon::is_generic_noun(term.head());
                    thing && if person_wanted { person } else { word != "it" || !person }
                };
                let here = subjects
                    .iter()
                    .rev()
                    .filter(|(start, _)| *start < phrase.start)
                    .map(|(_, id)| *id)
                    .find(|id| fits(id));
                let before = || {
                    if person_wanted {
                        last.iter().copied().find(|id| fits(id))
                    } else {
                        last.iter().rev().copied().find(|id| fits(id))
                    }
                };
                if let Some(id) = here.or_else(before) {
                    resolved.push((place, id));
                }
            }
            if !subjects.is_empty() {
                last = subjects.iter().rev().map(|(_, id)| *id).collect();
            }
            for (place, id) in resolved {
                if let Some(entry) = self.term_of.get_mut(sentence).and_then(|r| r.get_mut(place)) {
                    *entry = Some(id);
                }
            }
        }
    }

    /// The term a possessive (`its`, `their`, `whose`) of a phrase stands for.
    pub(crate) fn possessor(&self, sentence: usize, phrase: usize) -> Option<TermId> {
        let parsed = self.parsed.get(sentence)?;
        let mine = parsed.phrases.get(phrase)?;
        if let Some(owner) = mine.owner {
            return self.term(sentence, owner);
        }
        let word = mine.possessive.as_deref()?;
        if matches!(word, "my" | "our" | "your") {
            return self.role(sentence);
        }
        if word == "whose" {
            let before = parsed.phrases.iter().rposition(|p| p.end <= mine.start)?;
            return self.term(sentence, before);
        }
        let fits = |id: TermId| {
            let Some(term) = self.terms.get(id) else {
                return false;
            };
            let person = lexicon::is_person(term.head());
            match word {
                "his" | "her" => person,
                "its" => !person,
                _ => true,
            }
        };
        let row = self.clauses.get(sentence)?;
        let in_sentence =
            row.iter().rev().filter(|c| c.start < mine.start).flat_map(|c| c.subjects.iter().rev().copied());
        let before = parsed
            .phrases
            .iter()
            .enumerate()
            .rev()
            .filter(|(place, p)| p.end <= mine.start && !p.pronoun && *place != phrase)
            .map(|(place, _)| place);
        in_sentence
            .chain(before)
            .filter(|p| *p != phrase)
            .filter_map(|p| self.term(sentence, p))
            .find(|id| fits(*id))
            .or_else(|| {
                let previous = sentence.checked_sub(1)?;
                let row = self.clauses.get(previous)?;
                let subjects = row.iter().flat_map(|c| c.subjects.iter().copied());
                // `I employ bakers. I need their names.`
                let objects = row.iter().flat_map(|c| c.objects.iter().rev().copied());
                let known: Vec<usize> = subjects.chain(objects).collect();
                // `A library has members. Their names …`: several own them.
                let several = |p: &usize| self.phrase(previous, *p).is_some_and(|p| p.plural);
                let plural = known.iter().copied().filter(|p| word == "their" && several(p));
                let term = |p: usize| self.term(previous, p).filter(|id| fits(*id));
                plural.chain(known.iter().copied()).find_map(term)
            })
    }

    /// Who speaks in `As a customer, I want …`.
    pub(crate) fn role(&self, sentence: usize) -> Option<TermId> {
        let parsed = self.parsed.get(sentence)?;
        let role = parsed.phrases.iter().position(|p| p.start == 1 && parsed.word(0) == "as")?;
        self.term(sentence, role)
    }

    /// Counts who is subject, object and complement.
    fn count_roles(&mut self) {
        let mut roles: Vec<(TermId, Count)> = Vec::new();
        for (sentence, row) in self.clauses.iter().enumerate() {
            let benefit = self.parsed.get(sentence).and_then(Parsed::benefit_start).unwrap_or(usize::MAX);
            for clause in row.iter().filter(|c| c.start < benefit) {
                for subject in &clause.subjects {
                    if let Some(id) = self.term(sentence, *subject) {
                        let active: Count =
                            if clause.passive { |t| t.object += 1 } else { |t| t.subject += 1 };
                        roles.push((id, active));
                    }
                }
                for object in &clause.objects {
                    if let Some(id) = self.term(sentence, *object) {
                        roles.push((id, |t| t.object += 1));
                    }
                }
                for id in clause
                    .complements
                    .iter()
                    .flat_map(|(_, list)| list)
                    .filter_map(|p| self.term(sentence, *p))
                {
                    roles.push((id, |t| t.complement += 1));
                }
            }
            let Some(parsed) = self.parsed.get(sentence) else {
                continue;
            };
            for phrase in &parsed.phrases {
                // `the number of beds` is a property, and no word about beds.
                if let Some(id) =
                    phrase.of.filter(|_| parsed.head(phrase) != "number").and_then(|p| self.term(sentence, p))
                {
                    roles.push((id, |t| t.complement += 1));
                }
                if let Some(id) = phrase.owner.and_then(|p| self.term(sentence, p)) {
                    roles.push((id, |t| t.possessor += 1));
                }
                if in_example(parsed, phrase)
                    && let Some(id) = parsed
                        .phrases
                        .iter()
                        .position(|p| p.start == phrase.start)
                        .and_then(|p| self.term(sentence, p))
                {
                    roles.push((id, |t| t.example += 1));
                }
            }
        }
        for (id, count) in roles {
            if let Some(term) = self.terms.get_mut(id) {
                count(term);
            }
        }
    }
}

/// Whether a phrase stands in an example: after `e.g.`, `for example`, `such as` inside of brackets.
fn in_example(parsed: &Parsed, phrase: &Phrase) -> bool {
    let from = phrase.start.saturating_sub(14);
    let mut example = false;
    if parsed.parenthetical_of.is_some() {
        return matches!(parsed.word(0), "e.g." | "e.g" | "i.e." | "i.e") || parsed.word(1) == "example";
    }
    for at in from..phrase.start {
        match parsed.word(at) {
            "e.g." | "e.g" | "i.e." | "i.e" => example = true,
            "example" | "instance" if parsed.word(at.wrapping_sub(1)) == "for" => example = true,
            ")" | ";" => example = false,
            _ => {}
        }
    }
    example
}

/// The words of the term of a phrase; none for pronouns and for what names nothing.
pub(crate) fn term_words(parsed: &Parsed, phrase: &Phrase) -> Option<Vec<String>> {
    if phrase.pronoun {
        return None;
    }
    let head = phrase.core.last().and_then(|at| parsed.tokens.get(*at))?;
    let letters = head.lower().chars().filter(|c| c.is_alphabetic()).count();
    if letters < 2 || (!head.is_noun() && head.tag != Tag::VerbIng) {
        return None;
    }
    // `order-line` and `order line` are one thing; `e-mail` is a word.
    let words = parsed.name_words(phrase);
    let parts = |word: String| {
        let split = word.split('-').all(|part| part.chars().count() > 2);
        if split { word.split('-').map(str::to_owned).collect() } else { vec![word] }
    };
    let mut words: Vec<String> = words.into_iter().flat_map(parts).collect();
    if words.len() > 4 {
        words.drain(..words.len() - 4);
    }
    words.iter().any(|w| w.chars().any(char::is_alphanumeric)).then_some(words)
}

/// Terms that mean the same: `night nurse` and `nurse` where there is no other kind of nurse.
fn merges(keys: &[Vec<Option<Vec<String>>>], apart: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<&[String], usize> = BTreeMap::new();
    for words in keys.iter().flatten().flatten() {
        *counts.entry(words.as_slice()).or_default() += 1;
    }
    let mut by_head: BTreeMap<&str, Vec<&[String]>> = BTreeMap::new();
    for words in counts.keys() {
        if let Some(head) = words.last() {
            by_head.entry(head.as_str()).or_default().push(words);
        }
    }
    let mut out = BTreeMap::new();
    for (head, variants) in by_head {
        let compounds: Vec<_> =
            variants.iter().filter(|w| w.len() > 1 && !apart.contains(&w.join(" "))).collect();
        let bare = [head.to_owned()];
        let bare_count = counts.get(bare.as_slice()).copied().unwrap_or(0);
        if lexicon::is_attribute_head(head) || lexicon::is_generic_noun(head) {
            continue;
        }
        for compound in &compounds {
            let count = counts.get(**compound).copied().unwrap_or(0);
            // One adjective in front of a noun that also stands alone is a remark, not another thing.
            let adjective = compound.len() == 2
                && compound.first().is_some_and(|w| lexicon::is_adjective(w) || w.ends_with("ed"));
            if adjective && bare_count >= 1 && count == 1 {
                out.insert(compound.join(" "), head.to_owned());
            }
        }
        if let [only] = compounds.as_slice()
            && bare_count >= 1
            && only.len() == 2
            && variants.iter().filter(|w| w.len() > 1).count() == 1
        {
            // The more frequent spelling is the name.
            let count = counts.get(**only).copied().unwrap_or(0);
            if count > bare_count {
                out.insert(head.to_owned(), only.join(" "));
            } else {
                out.insert(only.join(" "), head.to_owned());
            }
        }
    }
    out
}
