//! Special and general: `X is a kind of Y`, `there are two kinds of Y: A and B`, `Y can be A or B`.
//!
//! Never invents a general term that the text does not name.

use blueprint::Span;

use crate::analysis::{Analysis, TermId};
use crate::clauses::{Clause, coordinated_after, end_with_of};
use crate::lexicon;
use crate::phrases::Parsed;
use crate::quantity::Quantity;
use crate::tag::Tag;

/// A special term and its general term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IsA {
    /// The special one.
    pub(crate) special: TermId,
    /// The general one.
    pub(crate) general: TermId,
    /// The words that say it.
    pub(crate) spans: Vec<Span>,
    /// Whether the words name both as kinds of things, so that both must be classes.
    pub(crate) sure: bool,
}

/// Verbs that split a general term into special ones.
const DIVIDE: &[&str] =
    &["divide", "classify", "split", "categorise", "categorize", "separate", "distinguish", "group"];

/// Finds what the text says about kinds.
pub(crate) fn kinds(analysis: &Analysis) -> Vec<IsA> {
    let mut out: Vec<IsA> = Vec::new();
    for sentence in 0..analysis.parsed.len() {
        let (Some(parsed), Some(row)) = (analysis.parsed.get(sentence), analysis.clauses.get(sentence))
        else {
            continue;
        };
        for clause in row {
            copula(analysis, sentence, parsed, clause, &mut out);
            divided(analysis, sentence, parsed, clause, &mut out);
        }
        listed(analysis, sentence, parsed, &mut out);
    }
    out
}

/// Adds one pair, unless it says the same or the contrary of an earlier one.
fn add(analysis: &Analysis, sentence: usize, special: usize, general: usize, sure: bool, out: &mut Vec<IsA>) {
    let (Some(parsed), Some(one), Some(all)) =
        (analysis.parsed.get(sentence), analysis.term(sentence, special), analysis.term(sentence, general))
    else {
        return;
    };
    let (Some(a), Some(b)) = (analysis.phrase(sentence, special), analysis.phrase(sentence, general)) else {
        return;
    };
    if one == all || a.pronoun && !sure || b.pronoun {
        return;
    }
    let plain = |id: TermId| {
        analysis
            .terms
            .get(id)
            .is_some_and(|t| !lexicon::is_generic_noun(t.head()) && !lexicon::is_attribute_head(t.head()))
    };
    if !plain(one)
        || !plain(all)
        || out.iter().any(|known| {
            (known.special == one && known.general == all) || (known.special == all && known.general == one)
        })
    {
        return;
    }
    out.push(IsA { special: one, general: all, spans: vec![parsed.name_span(a), parsed.name_span(b)], sure });
}

/// `A guide is a person.` `Vessels are ferries, tugs or barges.`
fn copula(analysis: &Analysis, sentence: usize, parsed: &Parsed, clause: &Clause, out: &mut Vec<IsA>) {
    if !clause.is_copula() || clause.negated || clause.relative || !clause.marker.is_empty() {
        return;
    }
    let (Some(subject), Some(object)) = (clause.subjects.first(), clause.objects.first()) else {
        return;
    };
    let (Some(s), Some(o)) = (parsed.phrases.get(*subject), parsed.phrases.get(*object)) else {
        return;
    };
    // `A special type of boat is the sailing boat.`
    if s.kind_of && clause.subjects.len() == 1 {
        for special in &clause.objects {
            add(analysis, sentence, *special, *subject, true, out);
        }
        return;
    }
    // `The colours of the flags are red and blue`: values.
    if s.of.is_some() || s.owner.is_some() || s.possessive.is_some() {
        return;
    }
    // `The baker is the owner` speaks of roles, `the price is a number` of values.
    let names_kind =
        o.kind_of || matches!(o.quantity, Quantity::A) || (o.plural && o.quantity == Quantity::Unsaid);
    if !names_kind || o.possessive.is_some() || o.owner.is_some() || o.of.is_some() {
        return;
    }
    let alternatives = clause.objects.len() > 1;
    let before = parsed.word(o.start.wrapping_sub(1));
    let either = matches!(before, "either")
        || (alternatives
            && (clause.end..end_with_of(parsed, clause.objects.last().copied().unwrap_or(*object)))
                .any(|at| parsed.word(at) == "or"));
    if alternatives || either {
        // One subject, several kinds: they are its special forms.
        let generic = s.plural || matches!(s.quantity, Quantity::A | Quantity::Each);
        if generic && clause.subjects.len() == 1 {
            for special in &clause.objects {
                add(analysis, sentence, *special, *subject, true, out);
            }
        }
        return;
    }
    // `A tutor may also be a student`: a person with two roles.
    let role = !clause.modal.is_empty() && (clause.start..clause.end).any(|at| parsed.word(at) == "also");
    let class_like = !role && matches!(clause.modal.as_str(), "" | "can" | "may");
    if class_like {
        for special in &clause.subjects {
            add(
                analysis,
                sentence,
                *special,
                *object,
                o.kind_of || s.plural || s.quantity != Quantity::The,
                out,
            );
        }
    }
}

/// `Vessels are divided into ferries and tugs.`
fn divided(analysis: &Analysis, sentence: usize, parsed: &Parsed, clause: &Clause, out: &mut Vec<IsA>) {
    if !DIVIDE.contains(&clause.lemma.as_str()) || clause.negated {
        return;
    }
    let general = if clause.passive { clause.subjects.first() } else { clause.objects.first() };
    let Some(general) = general else { return };
    for (preposition, list) in &clause.complements {
        if matches!(preposition.as_str(), "into" | "in" | "as")
            && list.len() > 1
            && parsed.phrases.len() > *general
        {
            for special in list {
                add(analysis, sentence, *special, *general, true, out);
            }
        }
    }
}

/// `There are three types of vessels: ferries, tugs and barges.` `vessels such as ferries and tugs`
fn listed(analysis: &Analysis, sentence: usize, parsed: &Parsed, out: &mut Vec<IsA>) {
    for (place, phrase) in parsed.phrases.iter().enumerate() {
        let example = matches!((parsed.word(phrase.end), parsed.word(phrase.end + 1)), ("such", "as"))
            || matches!(
                (parsed.word(phrase.end), parsed.word(phrase.end + 1), parsed.word(phrase.end + 2)),
                (",", "such", "as")
            );
        if !(phrase.kind_of || (example && phrase.plural)) {
            continue;
        }
        let start = if example {
            phrase.end + if parsed.word(phrase.end) == "," { 3 } else { 2 }
        } else {
            // The list stands after the colon, dash or comma, wherever the clause ends.
            let Some(colon) = (phrase.end..parsed.tokens.len())
                .find(|at| matches!(parsed.word(*at), ":" | "–" | "—" | "-"))
                .or_else(|| (parsed.word(phrase.end) == ",").then_some(phrase.end))
            else {
                continue;
            };
            colon + 1
        };
        let mut start = start;
        while matches!(parsed.tag(start), Some(Tag::Adverb)) || matches!(parsed.word(start), "either" | ",") {
            start += 1;
        }
        let Some(first) = parsed.phrases.iter().position(|p| p.start == start) else {
            continue;
        };
        let (list, _) = coordinated_after(parsed, first);
        let sure = list.len() > 1 || !example;
        for special in list {
            add(analysis, sentence, special, place, sure, out);
        }
    }
}
