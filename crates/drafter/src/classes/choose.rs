//! Which terms become classes.
//!
//! A table of weights over the counts of `analysis.rs`. Never looks at the text again.

use crate::analysis::{Analysis, Term, TermId};
use crate::classes::attribute_claims::{AttributeClaim, Evidence};
use crate::lexicon;

/// What a term needs to become a class.
const THRESHOLD: i32 = 20;

/// Heads of the names of those who want the system.
const ORGANISATIONS: &[&str] =
    &["company", "organisation", "organization", "firm", "enterprise", "corporation", "startup", "client"];

/// Words about the text or the model, not about its subject.
const META: &[&str] = &[
    "diagram",
    "requirement",
    "specification",
    "description",
    "scenario",
    "use-case",
    "exercise",
    "functionality",
];

/// For each term: whether it becomes a class.
pub(crate) fn choose(analysis: &Analysis, claims: &[AttributeClaim], forced: &[TermId]) -> Vec<bool> {
    let mut owners = vec![0_usize; analysis.terms.len()];
    let mut properties = vec![0_usize; analysis.terms.len()];
    let mut parts = vec![0_usize; analysis.terms.len()];
    for claim in claims {
        let listed = usize::from(claim.evidence == Evidence::Listed);
        if let Some(owner) = owners.get_mut(claim.owner) {
            *owner += 1 + listed;
        }
        let Some(id) = analysis.term(claim.sentence, claim.phrase) else {
            continue;
        };
        // What a person simply has is a thing; what is recorded of a person is a property.
        let phrase = analysis.phrase(claim.sentence, claim.phrase);
        let plural = phrase.is_some_and(|p| p.plural || p.quantity.is_stated());
        let head = analysis.terms.get(id).map_or("", |t| t.head());
        let thing = claim.evidence == Evidence::Has
            && (!lexicon::is_attribute_head(head) || plural && lexicon::is_weak_attribute_head(head));
        let several = thing && plural;
        if let Some(count) = if thing { parts.get_mut(id) } else { properties.get_mut(id) } {
            *count += 1 + listed + usize::from(several);
        }
    }
    let sentences = analysis.parsed.len();
    analysis
        .terms
        .iter()
        .enumerate()
        .map(|(id, term)| {
            let owner = owners.get(id).copied().unwrap_or(0);
            let property = properties.get(id).copied().unwrap_or(0);
            let part = parts.get(id).copied().unwrap_or(0);
            if is_excluded(term, owner, part) {
                return false;
            }
            forced.contains(&id) || score(term, owner, property, part, sentences) >= THRESHOLD
        })
        .collect()
}

/// Terms that never are classes.
fn is_excluded(term: &Term, owner: usize, part: usize) -> bool {
    let head = term.head();
    if META.contains(&head) {
        return true;
    }
    let proper_name = term.named_inside > 0 && term.named == term.mentions();
    let own_system = lexicon::is_system_head(head) && term.words.len() == 1;
    if own_system || term.alias || proper_name || term.unit == term.spans.len() {
        return true;
    }
    // `court case` and `hotel stay` name things although their heads alone do not; a head alone names a thing if the
    // text gives it properties and speaks of single ones: `A case has a number.`
    let vague = lexicon::is_generic_noun(head)
        && (term.words.len() == 1 || term.mentions() < 2 || lexicon::is_attribute_head(head));
    let thing = owner > 0 || part > 0 && term.words.len() > 1;
    // `booking` is a doing unless the text speaks of single ones.
    let doing = head.ends_with("ing") && term.words.len() == 1 && lexicon::readings(head).ing.is_some();
    (vague || doing) && !(thing && term.each + term.single > 0)
}

/// The weights.
fn score(term: &Term, owner: usize, property: usize, part: usize, sentences: usize) -> i32 {
    let count = |n: usize, most: usize| i32::try_from(n.min(most)).unwrap_or(0);
    let mut score = 0;
    score += 5 * count(term.mentions(), 4);
    score += 3 * count(term.sentences.len().saturating_sub(1), 4);
    score += 6 * count(term.subject, 2);
    score += 3 * count(term.object, 2);
    score += 2 * count(term.complement, 2);
    score += 7 * count(owner, 2);
    score += 6 * count(term.each, 1);
    score += 3 * count(term.plural, 1);
    score += 2 * count(term.possessor, 2);
    score += 4 * count(part, 3);
    // Items and stories are short: what they name, they mean.
    score += 4 * count(term.listed, 1);
    score -= 6 * count(property, 3);
    score -= 4 * count(term.example, 2);
    if lexicon::is_person(term.head()) {
        score += 4;
    }
    if lexicon::is_weak_attribute_head(term.head()) {
        score -= 14;
    } else if lexicon::is_attribute_head(term.head()) {
        score -= 40;
    }
    // The organisation that the text introduces is not part of its own model; people are part of it.
    if term.opening > 0 && ORGANISATIONS.contains(&term.head()) {
        score -= 20;
    }
    if term.head() == "person" && term.words.len() == 1 {
        score -= 10;
    }
    // In a short text little is said twice.
    score += match sentences {
        _ if term.sentences.is_empty() || term.subject + term.object + term.complement + owner == 0 => 0,
        0..=4 => 14,
        5..=8 => 5,
        9..=14 => 3,
        _ => 0,
    };
    score
}
