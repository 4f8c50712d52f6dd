//! Value lists: `the status can be open, paid or cancelled`.
//!
//! Never reads kinds of things as values; `inheritance.rs` reads those.

use blueprint::Span;

use crate::analysis::{Analysis, TermId};
use crate::classes::attribute_claims::AttributeClaim;
use crate::clauses::{Clause, end_with_of};
use crate::lexicon;
use crate::names;
use crate::phrases::{Parsed, Phrase};
use crate::tag::Tag;

/// A property with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Values {
    /// Whose property it is, if said.
    pub(crate) owner: Option<TermId>,
    /// The words of the property.
    pub(crate) property: Vec<String>,
    /// Where the property is named.
    pub(crate) span: Span,
    /// The values and where they stand.
    pub(crate) literals: Vec<(String, Span)>,
}

/// Finds the value lists of a text.
pub(crate) fn values(analysis: &Analysis, claims: &[AttributeClaim]) -> Vec<Values> {
    let mut out = Vec::new();
    for (sentence, parsed) in analysis.parsed.iter().enumerate() {
        let Some(row) = analysis.clauses.get(sentence) else {
            continue;
        };
        let mut found: Vec<Values> = listed(analysis, sentence, parsed, claims);
        out.append(&mut found);
        for clause in row {
            if let Some(found) = stated(analysis, sentence, parsed, clause) {
                out.push(found);
            }
        }
        if let Some(found) = parsed
            .parenthetical_of
            .and_then(|(parent, after)| bracketed(analysis, claims, parent, after, parsed))
        {
            out.push(found);
        }
    }
    out
}

/// `The status of an order is either open or paid.` `An order can be open, paid or cancelled.`
fn stated(analysis: &Analysis, sentence: usize, parsed: &Parsed, clause: &Clause) -> Option<Values> {
    let copula = clause.lemma == "be" || clause.passive && parsed.tag(clause.verb) == Some(Tag::VerbPast);
    if !copula || clause.negated {
        return None;
    }
    let subject = *clause.subjects.first()?;
    let phrase = parsed.phrases.get(subject)?;
    if phrase.pronoun {
        return None;
    }
    let from = if clause.passive { clause.verb } else { clause.end };
    let literals = read_list(parsed, from)?;
    let property_head = lexicon::is_attribute_head(parsed.head(phrase));
    let all_nouns = literals
        .iter()
        .all(|(_, span)| parsed.tokens.iter().any(|t| t.token.span.end == span.end && t.is_noun()));
    if property_head {
        let owner = analysis
            .possessor(sentence, subject)
            .or_else(|| phrase.of.and_then(|of| analysis.term(sentence, of)));
        return Some(Values {
            owner,
            property: parsed.name_words(phrase),
            span: parsed.name_span(phrase),
            literals,
        });
    }
    // `the colours of the flags are red and blue`.
    if let Some(owner) =
        phrase.of.and_then(|of| analysis.term(sentence, of)).or_else(|| analysis.possessor(sentence, subject))
    {
        return Some(Values {
            owner: Some(owner),
            property: parsed.name_words(phrase),
            span: parsed.name_span(phrase),
            literals,
        });
    }
    // Without a property, adjectives are states; nouns are kinds, and participles are mostly what can be done.
    let either = parsed.word(from) == "either";
    let states = literals.iter().all(|(_, span)| {
        parsed.tokens.iter().any(|t| {
            t.token.span.end == span.end && (t.tag == Tag::Adjective || either && t.tag == Tag::VerbPast)
        })
    });
    if all_nouns || !states || clause.infinitive {
        return None;
    }
    Some(Values {
        owner: analysis.term(sentence, subject),
        property: vec!["status".to_owned()],
        span: parsed.name_span(phrase),
        literals,
    })
}

/// `roof material (tile, slate or metal)`
fn bracketed(
    analysis: &Analysis,
    claims: &[AttributeClaim],
    sentence: usize,
    after: usize,
    parenthetical: &Parsed,
) -> Option<Values> {
    let parsed = analysis.parsed.get(sentence)?;
    let place = (0..parsed.phrases.len()).find(|place| {
        parsed.phrases.get(*place).is_some_and(|p| p.end == after) || end_with_of(parsed, *place) == after
    })?;
    let phrase = parsed.phrases.get(place)?;
    let mut from = 0;
    while matches!(parenthetical.word(from), "e.g." | "i.e." | "e.g" | "i.e" | "," | "either") {
        from += 1;
    }
    let literals = read_list(parenthetical, from)?;
    let short = literals.iter().all(|(name, _)| name.split(' ').count() <= 2);
    let properties =
        parenthetical.phrases.iter().filter(|p| lexicon::is_attribute_head(parenthetical.head(p))).count();
    if phrase.pronoun || !short || properties > 0 || !lexicon::is_attribute_head(parsed.head(phrase)) {
        return None;
    }
    let owner = owner_of(analysis, claims, sentence, place);
    Some(Values { owner, property: parsed.name_words(phrase), span: parsed.name_span(phrase), literals })
}

/// `status of an order: open, shipped or closed`, `a category such as novel or poetry`
fn listed(analysis: &Analysis, sentence: usize, parsed: &Parsed, claims: &[AttributeClaim]) -> Vec<Values> {
    let read = |(place, phrase): (usize, &Phrase)| {
        let end = end_with_of(parsed, place);
        let from = match (parsed.word(end), parsed.word(end + 1)) {
            (":", _) => end + 1,
            ("such", "as") => end + 2,
            (",", "such") if parsed.word(end + 2) == "as" => end + 3,
            _ => return None,
        };
        if phrase.pronoun || phrase.kind_of || !lexicon::is_attribute_head(parsed.head(phrase)) {
            return None;
        }
        let literals = read_list(parsed, from)?;
        let property = |span: &Span| {
            parsed.tokens.iter().any(|t| t.token.span.end == span.end && lexicon::is_attribute_head(&t.lemma))
        };
        if literals.iter().any(|(name, span)| name.split(' ').count() > 2 || property(span)) {
            return None;
        }
        let owner = owner_of(analysis, claims, sentence, place);
        Some(Values { owner, property: parsed.name_words(phrase), span: parsed.name_span(phrase), literals })
    };
    parsed.phrases.iter().enumerate().filter_map(read).collect()
}

/// Whose property a phrase is, by its words or by what the sentence claims.
fn owner_of(analysis: &Analysis, claims: &[AttributeClaim], sentence: usize, place: usize) -> Option<TermId> {
    let of = || analysis.phrase(sentence, place)?.of.and_then(|of| analysis.term(sentence, of));
    let from = claims.partition_point(|c| c.sentence < sentence);
    let claimed = || {
        let here = claims.get(from..)?.iter().take_while(|c| c.sentence == sentence);
        here.filter(|c| c.phrase == place).map(|c| c.owner).next()
    };
    analysis.possessor(sentence, place).or_else(of).or_else(claimed)
}

/// Reads `either A, B or C`: at least two short items, the last after `or` or `and`.
fn read_list(parsed: &Parsed, from: usize) -> Option<Vec<(String, Span)>> {
    let mut out: Vec<(String, Span)> = Vec::new();
    let mut at = from;
    let mut item: Option<usize> = None;
    let mut joined = false;
    for _ in 0..40 {
        let word = parsed.word(at);
        let tag = parsed.tag(at);
        let separator = word == ","
            || matches!(tag, Some(Tag::And))
            || word.is_empty()
            || matches!(word, "." | ")" | ";");
        if separator {
            if let Some(start) = item.take() {
                let span = parsed.span(start, at);
                let literal: Vec<String> = (start..at).map(|i| parsed.word(i).to_owned()).collect();
                if literal.len() > 3 {
                    return None;
                }
                out.push((literal.join(" "), span));
            }
            joined |= matches!(word, "or") || (matches!(word, "and") && joined);
            if word.is_empty() || matches!(word, "." | ")" | ";") {
                break;
            }
            at += 1;
            continue;
        }
        let part = matches!(
            tag,
            Some(
                Tag::Adjective
                    | Tag::Noun
                    | Tag::Plural
                    | Tag::Name
                    | Tag::VerbPast
                    | Tag::VerbIng
                    | Tag::Number
            )
        ) || matches!(word, "in" | "not" | "out" | "of" | "on");
        let filler = matches!(word, "either" | "\"" | "“" | "”" | "'" | "‘" | "’" | "one" | "a" | "an");
        if filler && item.is_none() {
            at += 1;
            continue;
        }
        if filler {
            at += 1;
            continue;
        }
        if !part {
            return None;
        }
        item = item.or(Some(at));
        at += 1;
    }
    (out.len() >= 2 && (joined || out.len() >= 3)).then_some(out)
}

/// The name of an enumeration: owner and property.
pub(crate) fn enum_name(owner: &[String], property: &[String]) -> String {
    let single = property.len() <= 1;
    if single { names::upper_camel(&[owner, property].concat()) } else { names::upper_camel(property) }
}
