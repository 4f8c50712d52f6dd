//! Properties that the text asks for: `whether it has a lift`, `how many rooms there are`, `how long`.
//!
//! Never answers for a question outside of a sentence about keeping or knowing something.

use blueprint::Span;

use crate::analysis::{Analysis, TermId};
use crate::classes::attribute_claims::AttributeClaim;
use crate::names;
use crate::phrases::Parsed;
use crate::tag::Tag;

/// A property found in a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whose property.
    pub(crate) owner: TermId,
    pub(crate) words: Vec<String>,
    pub(crate) type_name: &'static str,
    /// The words of the text.
    pub(crate) span: Span,
}

/// Verbs that make a question a property.
const KNOWING: &[&str] = &[
    "store",
    "record",
    "register",
    "keep",
    "know",
    "indicate",
    "specify",
    "track",
    "note",
    "show",
    "include",
    "see",
    "log",
    "ask",
    "save",
    "enter",
    "state",
    "display",
    "capture",
    "determine",
    "provide",
    "tell",
    "need",
    "support",
    "ask",
    "want",
];

/// Finds the questions of a text.
pub(crate) fn asked(analysis: &Analysis, claims: &[AttributeClaim], is_class: &[bool]) -> Vec<Asked> {
    let mut out = Vec::new();
    let mut last_owner: Option<TermId> = None;
    for (sentence, parsed) in analysis.parsed.iter().enumerate() {
        let knowing = analysis
            .clauses
            .get(sentence)
            .is_some_and(|row| row.iter().any(|c| KNOWING.contains(&c.lemma.as_str())));
        let topic = fronted(analysis, sentence)
            .or_else(|| claims.iter().rev().find(|s| s.sentence == sentence).map(|s| s.owner))
            .or(last_owner);
        if knowing {
            for at in 0..parsed.tokens.len() {
                let found = match parsed.word(at) {
                    "whether" => whether(analysis, sentence, parsed, at, topic, is_class),
                    "how" => how(analysis, sentence, parsed, at, topic),
                    _ => None,
                };
                out.extend(found);
            }
        }
        last_owner = topic;
    }
    out
}

/// The topic of `For balconies, …`.
fn fronted(analysis: &Analysis, sentence: usize) -> Option<TermId> {
    let parsed = analysis.parsed.get(sentence)?;
    let question = (0..parsed.tokens.len()).find(|at| matches!(parsed.word(*at), "whether" | "how"))?;
    let before = |p: &crate::phrases::Phrase| p.start > 0 && p.end <= question;
    let place = parsed.phrases.iter().position(|p| {
        before(p)
            && (matches!(parsed.word(p.start - 1), "for" | "per")
                || p.start < 3 && parsed.word(p.start - 1) == "of")
    })?;
    analysis.term(sentence, place)
}

/// `whether it has a lift`, `whether the lift is out of order`.
fn whether(
    analysis: &Analysis,
    sentence: usize,
    parsed: &Parsed,
    at: usize,
    topic: Option<TermId>,
    is_class: &[bool],
) -> Option<Asked> {
    let clause = analysis.clauses.get(sentence)?.iter().find(|c| c.start > at && c.start < at + 8)?;
    // Something must be said of it: `is on leave`, `has a lift`, `offers a menu`.
    if !(clause.is_copula() || clause.passive || !clause.objects.is_empty()) {
        return None;
    }
    let subject = *clause.subjects.first()?;
    let subject_term = analysis.term(sentence, subject);
    let subject_phrase = parsed.phrases.get(subject)?;
    let mut from = clause.end;
    if clause.passive {
        from = clause.verb;
    }
    while matches!(parsed.tag(from), Some(Tag::Adverb | Tag::Not)) {
        from += 1;
    }
    let mut to = from;
    while to < parsed.tokens.len()
        && to < from + 7
        && !matches!(parsed.tag(to), Some(Tag::Mark | Tag::And | Tag::Subordinator | Tag::Relative))
    {
        to += 1;
    }
    let kept = |i: &usize| {
        !matches!(parsed.tag(*i), Some(Tag::Determiner | Tag::Possessive | Tag::Adverb | Tag::Number))
    };
    let mut words: Vec<String> = (from..to)
        .filter(kept)
        .take(4)
        .map(|i| {
            parsed
                .tokens
                .get(i)
                .map_or(String::new(), |t| if t.is_noun() { t.lemma.clone() } else { t.lower().to_owned() })
        })
        .collect();
    // Trailing prepositions belong to what was cut off.
    while words
        .last()
        .is_some_and(|w| matches!(w.as_str(), "in" | "on" | "of" | "for" | "to" | "at" | "with" | "by"))
    {
        words.pop();
    }
    if matches!(parsed.word(subject_phrase.start), "you" | "we" | "i") {
        return None;
    }
    let known = |id: Option<TermId>| id.filter(|id| is_class.get(*id).copied().unwrap_or(false));
    let named = known(subject_term).filter(|_| !subject_phrase.pronoun);
    let owner = named
        .or_else(|| known(fronted(analysis, sentence)))
        .or_else(|| known(subject_term))
        .or_else(|| known(topic))?;
    // `whether a receipt is wanted` is about the receipt.
    if subject_term.is_some() && subject_term != Some(owner) && !subject_phrase.pronoun {
        let mut named = parsed.name_words(subject_phrase);
        named.append(&mut words);
        words = named;
    }
    let span = parsed.span(from, to.max(from + 1));
    (!words.is_empty() && !names::lower_camel(&words).is_empty()).then_some(Asked {
        owner,
        words,
        type_name: "Boolean",
        span,
    })
}

/// `how many rooms there are`, `how long`.
fn how(
    analysis: &Analysis,
    sentence: usize,
    parsed: &Parsed,
    at: usize,
    topic: Option<TermId>,
) -> Option<Asked> {
    let word = parsed.word(at + 1);
    let measure = [
        ("long", "duration"),
        ("often", "frequency"),
        ("old", "age"),
        ("big", "size"),
        ("large", "size"),
        ("heavy", "weight"),
        ("far", "distance"),
        ("tall", "height"),
    ];
    let clause = analysis.clauses.get(sentence)?.iter().find(|c| c.start > at && c.start < at + 9);
    if let Some((_, property)) = measure.iter().find(|(m, _)| *m == word) {
        let owner = topic?;
        return Some(Asked {
            owner,
            words: vec![(*property).to_owned()],
            type_name: "Integer",
            span: parsed.span(at, at + 2),
        });
    }
    if word != "many" {
        return None;
    }
    let place = parsed.phrases.iter().position(|p| p.start > at && p.start <= at + 2)?;
    let phrase = parsed.phrases.get(place)?;
    let mut words = vec!["number".to_owned(), "of".to_owned()];
    words.extend(parsed.name_words(phrase));
    if let (Some(last), Some(head)) =
        (words.last_mut(), phrase.core.last().map(|h| parsed.word(*h).to_owned()))
    {
        *last = head;
    }
    // `how many rooms there are in this hotel`, `how many doors it has`.
    let inside = clause.and_then(|c| {
        c.complements
            .iter()
            .find(|(p, _)| matches!(p.as_str(), "in" | "on" | "of"))
            .and_then(|(_, l)| l.first().copied())
    });
    let subject = clause.and_then(|c| c.subjects.first().copied()).filter(|s| *s != place);
    let owner = inside.or(subject).and_then(|p| analysis.term(sentence, p)).or(topic)?;
    Some(Asked { owner, words, type_name: "Integer", span: parsed.span(at, phrase.end) })
}
