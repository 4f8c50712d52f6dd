//! Lines between classes: who does what with what, and how many.
//!
//! Never makes a class; a line whose end is no class is dropped by the caller.

use blueprint::{RelationshipKind, Span};

use crate::analysis::{Analysis, TermId};
use crate::classes::attribute_claims::AttributeClaim;
use crate::clauses::Clause;
use crate::phrases::{Parsed, Phrase};
use crate::quantity::Quantity;

/// A line that the text suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it starts.
    pub(crate) from: TermId,
    /// Where it ends.
    pub(crate) to: TermId,
    /// What it means.
    pub(crate) kind: RelationshipKind,
    /// The verb.
    pub(crate) label: String,
    /// How many of `from`, if the text says or implies it.
    pub(crate) from_many: String,
    /// How many of `to`.
    pub(crate) to_many: String,
    /// Whether the numbers are stated, not implied.
    pub(crate) stated: bool,
    /// The words it comes from.
    pub(crate) spans: Vec<Span>,
    /// The better of two lines between the same classes wins.
    pub(crate) weight: u8,
}

/// Verbs of being made of something.
const COMPOSED: &[&str] = &["consist", "compose", "comprise", "make"];

/// Verbs of holding something.
const HOLDING: &[&str] = &["contain", "include", "hold", "group", "aggregate", "incorporate"];

/// Verbs of being in something.
const BELONGING: &[&str] = &["belong"];

/// Verbs that say nothing about a lasting relation.
const FLEETING: &[&str] = &[
    "want", "need", "see", "view", "know", "think", "say", "mean", "happen", "occur", "store", "keep",
    "save", "click", "display", "show", "be", "help", "allow", "enable", "let", "ensure", "decide",
    "consider", "seem", "appear", "know", "like",
];

/// Finds the lines of a text.
pub(crate) fn lines(analysis: &Analysis, claims: &[AttributeClaim], is_class: &[bool]) -> Vec<Line> {
    let mut out = Vec::new();
    for (sentence, row) in analysis.clauses.iter().enumerate() {
        let Some(parsed) = analysis.parsed.get(sentence) else {
            continue;
        };
        for clause in row {
            clause_lines(analysis, sentence, parsed, clause, is_class, &mut out);
        }
        genitive_lines(analysis, sentence, parsed, is_class, &mut out);
    }
    for claim in claims {
        claim_line(analysis, claim, &mut out);
    }
    compound_lines(analysis, is_class, &mut out);
    out.retain(|line| known(is_class, line.from) && known(is_class, line.to));
    out
}

/// Whether a term became a class.
fn known(is_class: &[bool], id: TermId) -> bool {
    is_class.get(id).copied().unwrap_or(false)
}

/// Subject, verb, object; subject, verb, preposition, complement.
fn clause_lines(
    analysis: &Analysis,
    sentence: usize,
    parsed: &Parsed,
    clause: &Clause,
    is_class: &[bool],
    out: &mut Vec<Line>,
) {
    if clause.negated && clause.is_copula() {
        return;
    }
    let lemma = clause.lemma.as_str();
    let class_phrase =
        |phrase: &usize| analysis.term(sentence, *phrase).is_some_and(|id| known(is_class, id));
    let verb = parsed.span(clause.verb, clause.verb + 1);
    let may = matches!(clause.modal.as_str(), "may" | "can" | "could" | "might");
    let mut push = |from: usize, to: usize, kind: RelationshipKind, label: &str, weight: u8| {
        let (Some(a), Some(b)) = (analysis.term(sentence, from), analysis.term(sentence, to)) else {
            return;
        };
        let (Some(p), Some(q)) = (parsed.phrases.get(from), parsed.phrases.get(to)) else {
            return;
        };
        // A line back to the same class needs a word for it: `each node is connected to other nodes`.
        if a == b
            && !q.core.iter().any(|at| matches!(parsed.word(*at), "other"))
            && parsed.word(q.start) != "another"
        {
            return;
        }
        let structural =
            matches!(kind, RelationshipKind::Aggregation | RelationshipKind::Composition) || label == "has";
        let (from_many, to_many, stated) = multiplicities(p, q, structural, may);
        let spans = vec![parsed.name_span(p), verb, parsed.name_span(q)];
        out.push(Line {
            from: a,
            to: b,
            kind,
            label: label.to_owned(),
            from_many,
            to_many,
            stated,
            spans,
            weight,
        });
    };
    let fleeting = FLEETING.contains(&lemma);
    let third = crate::lexicon::third_person(lemma);
    for subject in clause.subjects.iter().filter(|p| class_phrase(p)) {
        if !clause.passive && !clause.is_copula() {
            for object in clause.objects.iter().filter(|p| class_phrase(p)) {
                if HOLDING.contains(&lemma) || lemma == "comprise" {
                    push(*subject, *object, RelationshipKind::Aggregation, "", 6);
                } else if lemma == "have" {
                    push(*subject, *object, RelationshipKind::Association, "has", 5);
                } else {
                    push(
                        *subject,
                        *object,
                        RelationshipKind::Association,
                        &third,
                        if fleeting { 2 } else { 6 },
                    );
                }
            }
        }
        // `each ward is assigned a matron`.
        if clause.passive {
            for object in clause.objects.iter().filter(|p| class_phrase(p)) {
                push(*subject, *object, RelationshipKind::Association, parsed.word(clause.verb), 5);
            }
        }
        // `a wagon is part of a train`.
        if clause.is_copula()
            && let Some(part) = clause
                .objects
                .first()
                .and_then(|p| parsed.phrases.get(*p))
                .filter(|p| matches!(parsed.head(p), "part" | "member"))
            && let Some(whole) = part.of.filter(|p| class_phrase(p))
        {
            push(whole, *subject, RelationshipKind::Aggregation, "", 6);
        }
        for (preposition, list) in &clause.complements {
            let word = preposition.as_str();
            for complement in list.iter().filter(|p| class_phrase(p)) {
                if clause.passive && word == "by" {
                    push(*complement, *subject, RelationshipKind::Association, &third, 6);
                } else if COMPOSED.contains(&lemma) && matches!(word, "of" | "from") {
                    push(*subject, *complement, RelationshipKind::Composition, "", 7);
                } else if BELONGING.contains(&lemma) {
                    push(*complement, *subject, RelationshipKind::Aggregation, "", 6);
                } else if clause.is_copula() && matches!(word, "of" | "for" | "in") {
                    push(*complement, *subject, RelationshipKind::Association, "", 3);
                } else if clause.passive
                    && matches!(word, "to" | "for" | "from" | "with" | "in" | "on" | "at" | "into" | "as")
                {
                    let label = format!("{} {word}", parsed.word(clause.verb));
                    push(*subject, *complement, RelationshipKind::Association, &label, 5);
                } else if clause.objects.is_empty()
                    && matches!(word, "to" | "for" | "from" | "with" | "in" | "on" | "at" | "about")
                {
                    let label = format!("{third} {word}");
                    push(*subject, *complement, RelationshipKind::Association, &label, 4);
                }
            }
        }
    }
    // `assigns nurses to wards`: what is done to the object ties it to the complement.
    if !clause.is_copula() {
        for object in clause.objects.iter().filter(|p| class_phrase(p)) {
            for (preposition, list) in &clause.complements {
                if !matches!(
                    preposition.as_str(),
                    "to" | "for" | "from" | "in" | "into" | "on" | "with" | "at"
                ) {
                    continue;
                }
                for complement in list.iter().filter(|p| class_phrase(p)) {
                    push(*object, *complement, RelationshipKind::Association, "", 3);
                }
            }
        }
    }
}

/// `the customer's order`, `the orders of a customer`.
fn genitive_lines(
    analysis: &Analysis,
    sentence: usize,
    parsed: &Parsed,
    is_class: &[bool],
    out: &mut Vec<Line>,
) {
    for (place, phrase) in parsed.phrases.iter().enumerate() {
        let Some(part) = analysis.term(sentence, place).filter(|id| known(is_class, *id)) else {
            continue;
        };
        let owner_phrase = phrase.owner.or(phrase.of);
        let whole = analysis
            .possessor(sentence, place)
            .or_else(|| phrase.of.and_then(|of| analysis.term(sentence, of)));
        let Some(whole) = whole.filter(|id| known(is_class, *id)) else {
            continue;
        };
        let mut spans = vec![parsed.name_span(phrase)];
        if let Some(owner) = owner_phrase.and_then(|p| parsed.phrases.get(p)) {
            spans.insert(0, parsed.name_span(owner));
        }
        out.push(Line {
            from: whole,
            to: part,
            kind: RelationshipKind::Association,
            label: String::new(),
            from_many: "1".to_owned(),
            to_many: "*".to_owned(),
            stated: false,
            spans,
            weight: 3,
        });
    }
}

/// A claimed property that is a class itself.
fn claim_line(analysis: &Analysis, claim: &AttributeClaim, out: &mut Vec<Line>) {
    let Some(parsed) = analysis.parsed.get(claim.sentence) else {
        return;
    };
    let Some(phrase) = parsed.phrases.get(claim.phrase) else {
        return;
    };
    let Some(part) = analysis.term(claim.sentence, claim.phrase) else {
        return;
    };
    let (owner_quantity, owner_plural) = claim.owner_quantity;
    let owner = Phrase { quantity: owner_quantity, plural: owner_plural, ..Phrase::default() };
    let (from_many, to_many, stated) = multiplicities(&owner, phrase, true, claim.optional);
    out.push(Line {
        from: claim.owner,
        to: part,
        kind: RelationshipKind::Association,
        label: "has".to_owned(),
        from_many,
        to_many,
        stated,
        spans: vec![parsed.name_span(phrase)],
        weight: 4,
    });
}

/// Compounds name a tie: an `order line` is a line of an order.
fn compound_lines(analysis: &Analysis, is_class: &[bool], out: &mut Vec<Line>) {
    for (id, term) in analysis.terms.iter().enumerate().filter(|(id, _)| known(is_class, *id)) {
        for variant in term.variants.iter().filter(|v| v.len() > 1) {
            let Some((_, modifiers)) = variant.split_last() else {
                continue;
            };
            let modifier = analysis.find_term(|t| t.words == modifiers || t.variants.contains(modifiers));
            let Some(modifier) = modifier.filter(|m| known(is_class, *m) && *m != id) else {
                continue;
            };
            let spans = term.spans.iter().take(1).copied().collect();
            out.push(Line {
                from: modifier,
                to: id,
                kind: RelationshipKind::Association,
                label: String::new(),
                from_many: "1".to_owned(),
                to_many: "*".to_owned(),
                stated: false,
                spans,
                weight: 2,
            });
        }
    }
}

/// What the two phrases say about numbers: how many of the first, how many of the second, and whether it is stated.
///
/// Having one is having one; doing something to one is mostly done again and again to others.
fn multiplicities(from: &Phrase, to: &Phrase, structural: bool, may: bool) -> (String, String, bool) {
    let stated = from.quantity.is_stated() || to.quantity.is_stated();
    let from_many = match from.quantity {
        Quantity::Range(..) => from.quantity.multiplicity(from.plural),
        // `Several nurses work on a ward`: many at this end, if the other end is one.
        Quantity::Many if !to.plural => "*".to_owned(),
        _ if from.plural && !to.plural && to.quantity.is_stated() => "*".to_owned(),
        _ => "1".to_owned(),
    };
    let to_many = match to.quantity {
        Quantity::Range(1, Some(1)) if may => "0..1".to_owned(),
        Quantity::Range(..) | Quantity::Many => to.quantity.multiplicity(to.plural),
        _ if structural && !to.plural => if may { "0..1" } else { "1" }.to_owned(),
        _ => "*".to_owned(),
    };
    (from_many, to_many, stated)
}
