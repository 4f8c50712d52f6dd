//! Claims that something is a property of something: `X has a Y`, `Y of X`, `X's Y`, `for each X, Y is stored`.
//!
//! Never decides whether the property becomes an attribute or a part; that follows from which terms become classes.

use crate::analysis::{Analysis, TermId};
use crate::clauses::{Clause, coordinated_after, end_with_of};
use crate::lexicon;
use crate::phrases::{Parsed, Phrase};
use crate::quantity::Quantity;
use crate::tag::Tag;

/// The kind of statement that a claim comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Only mentioned: `the price of the product`, `the customer's address`.
    Mentioned,
    /// `has`, `with`.
    Has,
    /// `is described by`, `is stored for`: properties, not things.
    Listed,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttributeClaim {
    /// Whose property.
    pub(crate) owner: TermId,
    /// The sentence of the property.
    pub(crate) sentence: usize,
    /// The phrase of the property.
    pub(crate) phrase: usize,
    /// What the claim is based on.
    pub(crate) evidence: Evidence,
    /// The clause says `may` or `optionally`.
    pub(crate) optional: bool,
    /// How many owners the sentence speaks of; for multiplicities.
    pub(crate) owner_quantity: (Quantity, bool),
}

/// Verbs of having.
const HAVE: &[&str] = &[
    "have", "possess", "include", "contain", "show", "carry", "comprise", "feature", "display", "list",
    "require", "need", "get", "hold",
];

/// Verbs whose `by` names properties.
const IDENTIFIED: &[&str] = &[
    "identify",
    "describe",
    "characterise",
    "characterize",
    "define",
    "specify",
    "determine",
    "represent",
    "distinguish",
    "know",
];

/// Verbs of keeping: their objects are properties of a person named nearby.
const KEEP: &[&str] = &[
    "store", "record", "register", "keep", "save", "know", "note", "log", "capture", "enter", "provide",
    "specify", "indicate", "give", "track", "collect", "document", "maintain", "include", "need", "ask",
    "fill", "see", "set", "manage", "list", "want", "define", "display", "show", "retain", "hold", "state",
    "remember", "add", "mark", "supply",
];

/// Verbs of keeping that are said of the keeper, who gives properties of himself.
const GIVE: &[&str] = &[
    "provide", "enter", "indicate", "specify", "give", "fill", "supply", "submit", "state", "choose", "get",
];

/// Heads that announce a list of properties.
const ANNOUNCING: &[&str] = &[
    "information",
    "detail",
    "details",
    "data",
    "attribute",
    "property",
    "properties",
    "field",
    "characteristic",
    "item",
];

/// Finds all claims of a text.
pub(crate) fn attribute_claims(analysis: &Analysis) -> Vec<AttributeClaim> {
    let mut out = Finder { analysis, claims: Vec::new() };
    for sentence in 0..analysis.parsed.len() {
        let Some(row) = analysis.clauses.get(sentence) else {
            continue;
        };
        for clause in row {
            out.having(sentence, clause);
            out.identified(sentence, clause);
            out.keeping(sentence, clause);
        }
        out.passing(sentence);
        out.with(sentence);
        out.announced(sentence);
    }
    // Lists in brackets are claimed with the sentence before them.
    out.claims.sort_by_key(|claim| claim.sentence);
    out.claims
}

struct Finder<'s> {
    analysis: &'s Analysis,
    claims: Vec<AttributeClaim>,
}

impl Finder<'_> {
    /// Notes one claim; a stronger evidence replaces a weaker one.
    fn claim(
        &mut self,
        owner: TermId,
        sentence: usize,
        phrase: usize,
        evidence: Evidence,
        clause: Option<&Clause>,
    ) {
        let Some(mine) = self.analysis.phrase(sentence, phrase) else {
            return;
        };
        if mine.pronoun || self.analysis.term(sentence, phrase) == Some(owner) {
            return;
        }
        let owner_quantity = clause
            .and_then(|c| c.subjects.first())
            .and_then(|s| self.analysis.phrase(sentence, *s))
            .map_or((Quantity::Unsaid, false), |p| (p.quantity, p.plural));
        let optional = clause.is_some_and(|c| matches!(c.modal.as_str(), "may" | "can" | "could" | "might"));
        if let Some(known) = self.claims.iter_mut().find(|s| s.sentence == sentence && s.phrase == phrase) {
            if evidence > known.evidence {
                (known.owner, known.evidence) = (owner, evidence);
            }
            return;
        }
        self.claims.push(AttributeClaim { owner, sentence, phrase, evidence, optional, owner_quantity });
    }

    /// `A customer has a name and an address.`
    fn having(&mut self, sentence: usize, clause: &Clause) {
        let composed = matches!(clause.lemma.as_str(), "consist" | "compose" | "make");
        if clause.negated
            || clause.marker == "whether"
            || !composed && (clause.passive || !HAVE.contains(&clause.lemma.as_str()))
        {
            return;
        }
        let parts: Vec<usize> = if composed {
            clause
                .complements
                .iter()
                .filter(|(word, _)| word == "of")
                .flat_map(|(_, list)| list.iter().copied())
                .collect()
        } else {
            clause.objects.clone()
        };
        // Every member of `ferries and tugs have a length` has one.
        for subject in &clause.subjects {
            let Some(owner) = self.analysis.term(sentence, *subject) else {
                continue;
            };
            for object in &parts {
                self.claim(owner, sentence, *object, Evidence::Has, Some(clause));
            }
        }
    }

    /// `A wagon is identified by its serial number.`
    fn identified(&mut self, sentence: usize, clause: &Clause) {
        if !clause.passive || !IDENTIFIED.contains(&clause.lemma.as_str()) {
            return;
        }
        let Some(owner) = clause.subjects.first().and_then(|s| self.analysis.term(sentence, *s)) else {
            return;
        };
        for (preposition, list) in &clause.complements {
            if matches!(preposition.as_str(), "by" | "with" | "through") {
                for phrase in list {
                    if self.is_property(sentence, *phrase) {
                        self.claim(owner, sentence, *phrase, Evidence::Listed, Some(clause));
                    }
                }
            }
        }
    }

    /// `The name and address of each clinic are stored.` `For each order we store the date.`
    fn keeping(&mut self, sentence: usize, clause: &Clause) {
        if clause.negated || !KEEP.contains(&clause.lemma.as_str()) {
            return;
        }
        let list = if clause.passive { &clause.subjects } else { &clause.objects };
        if list.is_empty() {
            return;
        }
        let properties = list.iter().filter(|p| self.is_property(sentence, **p)).count();
        let (common, explicit) = self.kept_for(sentence, clause, list);
        if properties == 0 && !explicit {
            return;
        }
        for phrase in list {
            if self.analysis.term(sentence, *phrase).is_some() || self.is_property(sentence, *phrase) {
                let owner = self.own_owner(sentence, *phrase).or(common);
                if let Some(owner) = owner {
                    self.claim(owner, sentence, *phrase, Evidence::Listed, None);
                }
            }
        }
    }

    /// The owner that a property names itself: `its name`, `the name of the customer`.
    fn own_owner(&self, sentence: usize, phrase: usize) -> Option<TermId> {
        if let Some(owner) = self.analysis.possessor(sentence, phrase) {
            return Some(owner);
        }
        let parsed = self.analysis.parsed.get(sentence)?;
        let mine = parsed.phrases.get(phrase)?;
        let of = mine.of?;
        let other = parsed.phrases.get(of)?;
        if is_bare(other) || (parsed.head(mine) == "number" && other.plural) {
            return None;
        }
        let owner = self.thing(sentence, of)?;
        self.analysis.terms.get(owner).is_some_and(|t| t.mentions() > 1).then_some(owner)
    }

    /// Whose properties a verb of keeping speaks of, and whether the words `for` or `of` say so.
    fn kept_for(&self, sentence: usize, clause: &Clause, list: &[usize]) -> (Option<TermId>, bool) {
        match self.named_owner(sentence, clause, list) {
            Some(owner) => (Some(owner), true),
            None => (self.implied_owner(sentence, clause, list), false),
        }
    }

    /// `for each X`, `of which`.
    fn named_owner(&self, sentence: usize, clause: &Clause, list: &[usize]) -> Option<TermId> {
        let parsed = self.analysis.parsed.get(sentence)?;
        // `… are stored for clinics`.
        let after = clause
            .complements
            .iter()
            .filter(|(p, _)| matches!(p.as_str(), "for" | "per" | "of" | "about"))
            .flat_map(|(_, l)| l);
        let purpose = |p: &usize| {
            parsed
                .phrases
                .get(*p)
                .is_some_and(|phrase| is_bare(phrase) && lexicon::is_abstract(parsed.head(phrase)))
        };
        if let Some(owner) = after
            .filter(|p| !self.is_property(sentence, **p) && !purpose(p))
            .find_map(|p| self.thing(sentence, *p))
        {
            return Some(owner);
        }
        // `several concerts, the title and date of which are stored`.
        let first = list.first().and_then(|p| parsed.phrases.get(*p))?;
        let last = list.last().and_then(|p| parsed.phrases.get(*p))?;
        if parsed.word(last.end) == "of" && parsed.word(last.end + 1) == "which"
            || parsed.word(first.start.wrapping_sub(1)) == "which"
        {
            let before = parsed.phrases.iter().rposition(|p| p.end <= first.start)?;
            return self.thing(sentence, before);
        }
        // `For each boiler, …`, `Of those cakes, …`, `When you register a customer, …`.
        let begin = clause
            .subjects
            .first()
            .and_then(|p| parsed.phrases.get(*p))
            .map_or(clause.start, |p| p.start.min(clause.start));
        let fronted = parsed.phrases.iter().enumerate().find(|(_, p)| {
            p.end <= begin
                && p.start > 0
                && p.start < 4
                && matches!(parsed.word(p.start - 1), "for" | "of" | "per" | "about")
        });
        fronted.and_then(|(place, _)| self.thing(sentence, place))
    }

    /// The owner of the last property, or who gives it.
    fn implied_owner(&self, sentence: usize, clause: &Clause, list: &[usize]) -> Option<TermId> {
        let analysis = self.analysis;
        let parsed = analysis.parsed.get(sentence)?;
        // `the name and price of the product`: the last one speaks for all.
        if let Some(owner) = list.iter().rev().find_map(|p| self.own_owner(sentence, *p)) {
            return Some(owner);
        }
        // Who provides properties has them.
        if !clause.passive && GIVE.contains(&clause.lemma.as_str()) {
            let subject = clause.subjects.first()?;
            let owner = analysis.term(sentence, *subject)?;
            let keeper = parsed
                .phrases
                .get(*subject)
                .is_some_and(|p| p.pronoun && matches!(parsed.word(p.start), "we" | "i" | "you"));
            let system = analysis.terms.get(owner).is_some_and(|t| lexicon::is_system_head(t.head()));
            return (!keeper && !system).then_some(owner);
        }
        None
    }

    /// `the customer's name`, `the price of a product`.
    fn passing(&mut self, sentence: usize) {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return;
        };
        for (place, phrase) in parsed.phrases.iter().enumerate() {
            if !self.is_property(sentence, place) {
                continue;
            }
            if let Some(owner) = self.modifier_owner(parsed, phrase) {
                self.claim(owner, sentence, place, Evidence::Mentioned, None);
            }
            if phrase.owner.is_some() || phrase.possessive.is_some() {
                if let Some(owner) = self.analysis.possessor(sentence, place) {
                    let (list, _) = coordinated_after(parsed, place);
                    for item in list {
                        let own =
                            parsed.phrases.get(item).is_some_and(|p| p.owner.is_some_and(|o| o > place));
                        if self.is_property(sentence, item) && (item == place || !own) {
                            self.claim(owner, sentence, item, Evidence::Mentioned, None);
                        }
                    }
                }
            } else if let Some(of) = phrase.of
                && let Some(owner) = self.thing(sentence, of)
                && !(parsed.head(phrase) == "number" && parsed.phrases.get(of).is_some_and(|p| p.plural))
                && !parsed.phrases.get(of).is_some_and(is_bare)
            {
                self.claim(owner, sentence, place, Evidence::Mentioned, None);
                // `the name, address and price of a product`.
                for item in before_in_list(parsed, place) {
                    if self.is_property(sentence, item)
                        && parsed.phrases.get(item).is_some_and(|p| p.of.is_none() && p.owner.is_none())
                    {
                        self.claim(owner, sentence, item, Evidence::Mentioned, None);
                    }
                }
            }
        }
    }

    /// `nurses with first and last names`.
    fn with(&mut self, sentence: usize) {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return;
        };
        for at in 1..parsed.tokens.len() {
            if parsed.word(at) != "with" {
                continue;
            }
            let Some(owner) =
                parsed.phrases.iter().rposition(|p| p.end == at).and_then(|p| self.thing(sentence, p))
            else {
                continue;
            };
            let Some(first) = parsed.phrases.iter().position(|p| p.start == at + 1) else {
                continue;
            };
            let (list, _) = coordinated_after(parsed, first);
            for phrase in list {
                if self.is_property(sentence, phrase) {
                    self.claim(owner, sentence, phrase, Evidence::Has, None);
                }
            }
        }
    }

    /// `details of customers (name, address)`, `supplier (name and address are known)`, `Customer: name, address`.
    fn announced(&mut self, sentence: usize) {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return;
        };
        for (place, phrase) in parsed.phrases.iter().enumerate() {
            let end = end_with_of(parsed, place);
            let announcing = ANNOUNCING.contains(&parsed.head(phrase));
            let owner = if announcing {
                let by_word = phrase
                    .of
                    .and_then(|of| self.thing(sentence, of))
                    .or_else(|| self.analysis.possessor(sentence, place));
                by_word.or_else(|| self.modifier_owner(parsed, phrase))
            } else {
                self.analysis
                    .possessor(sentence, place)
                    .is_none()
                    .then(|| self.thing(sentence, place))
                    .flatten()
            };
            let Some(owner) = owner else { continue };
            let parenthetical = self
                .analysis
                .parentheticals(sentence)
                .find(|(_, after, _)| *after == end || *after == phrase.end);
            let Some((list_sentence, first)) =
                list_start(parsed, end).map(|first| (sentence, first)).or_else(|| {
                    parenthetical.and_then(|(at, _, inside)| Some((at, parenthetical_start(inside)?)))
                })
            else {
                continue;
            };
            let Some(list_parsed) = self.analysis.parsed.get(list_sentence) else {
                continue;
            };
            let (list, _) = coordinated_after(list_parsed, first);
            let properties = list.iter().filter(|p| self.is_property(list_sentence, **p)).count();
            if properties * 2 < list.len() || properties == 0 {
                continue;
            }
            for item in list {
                self.claim(owner, list_sentence, item, Evidence::Listed, None);
            }
        }
    }

    /// `customer details`: the modifier is the owner.
    fn modifier_owner(&self, parsed: &Parsed, phrase: &Phrase) -> Option<TermId> {
        let words = parsed.name_words(phrase);
        let (head, modifiers) = words.split_last()?;
        if lexicon::is_weak_attribute_head(head) && !ANNOUNCING.contains(&head.as_str()) {
            return None;
        }
        self.analysis.find_term(|t| !modifiers.is_empty() && t.words == modifiers)
    }

    /// Whether a phrase names a property by its head.
    fn is_property(&self, sentence: usize, phrase: usize) -> bool {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return false;
        };
        let Some(mine) = parsed.phrases.get(phrase) else {
            return false;
        };
        !mine.pronoun && lexicon::is_attribute_head(parsed.head(mine))
    }

    /// The term of a phrase if it can own something.
    fn thing(&self, sentence: usize, phrase: usize) -> Option<TermId> {
        let id = self.analysis.term(sentence, phrase)?;
        let term = self.analysis.terms.get(id)?;
        if lexicon::is_generic_noun(term.head()) && term.words.len() == 1 {
            // `each use of the service` is about the service.
            let mine = self.analysis.phrase(sentence, phrase)?;
            let single = matches!(mine.quantity, Quantity::A | Quantity::Each);
            return match mine.of.filter(|of| *of > phrase) {
                Some(of) => self.thing(sentence, of),
                None => single.then_some(id),
            };
        }
        Some(id)
    }
}

/// Where the list starts in words in brackets.
fn parenthetical_start(parsed: &Parsed) -> Option<usize> {
    let mut at = 0;
    while matches!(
        parsed.word(at),
        "e.g." | "i.e." | "," | "e.g" | "i.e" | "both" | "like" | "including" | "such" | "as"
    ) {
        at += 1;
    }
    parsed.phrases.iter().position(|p| p.start == at)
}

/// Where a list of explanations starts after a phrase: `:`, `such as`, `including`.
fn list_start(parsed: &Parsed, end: usize) -> Option<usize> {
    let mut at = end;
    match (parsed.word(at), parsed.word(at + 1)) {
        (":", _) => at += 1,
        ("such", "as") | (",", "including") => at += 2,
        ("including" | "like" | "namely", _) => at += 1,
        (",", "such") => at += 3,
        _ => return None,
    }
    while matches!(parsed.word(at), "e.g." | "i.e." | "," | "e.g" | "i.e" | "both" | "like")
        || parsed.tag(at) == Some(Tag::Adverb)
    {
        at += 1;
    }
    parsed.phrases.iter().position(|p| p.start == at)
}

/// `of birth`, `of issue`: a singular without any article belongs to the name of the property.
fn is_bare(phrase: &Phrase) -> bool {
    phrase.quantity == Quantity::Unsaid
        && !phrase.plural
        && phrase.owner.is_none()
        && phrase.possessive.is_none()
}

/// The items of a list before its last one.
fn before_in_list(parsed: &Parsed, last: usize) -> Vec<usize> {
    let mut out = Vec::new();
    let mut start = parsed.phrases.get(last).map_or(0, |p| p.start);
    let mut conjunction = false;
    for place in (0..last).rev().take(20) {
        let Some(phrase) = parsed.phrases.get(place) else {
            break;
        };
        let between = phrase.end..start;
        let glue = between.clone().all(|at| parsed.tag(at) == Some(Tag::And) || parsed.word(at) == ",");
        conjunction |= between.clone().any(|at| parsed.tag(at) == Some(Tag::And));
        let touching = between.is_empty() && phrase.core.last().is_some_and(|head| *head >= phrase.end);
        conjunction |= touching;
        if !(glue && (conjunction || touching)) {
            break;
        }
        out.push(place);
        start = phrase.start;
    }
    out
}
