//! Names and types of attributes.
//!
//! Never decides whose they are; `attribute_claims.rs` does.

use crate::clauses::end_with_of;
use crate::lexicon;
use crate::names;
use crate::phrases::{Parsed, Phrase};
use crate::quantity::Quantity;

/// Type by the last word of the name; the first row that fits wins.
const TYPES: &[(&str, &str)] = &[
    (
        "Money",
        "price cost fee amount salary wage balance budget revenue turnover payment tax deposit total subtotal sum \
        rent discount fine",
    ),
    ("DateTime", "datetime timestamp date/time"),
    ("Date", "date birthday birthdate deadline expiry expiration day birth"),
    ("DateTime", "time"),
    (
        "Integer",
        "count quantity age year number-of capacity points score frequency duration rank level priority mileage \
        amount-of floor",
    ),
    (
        "Decimal",
        "weight height width length size rate percentage temperature humidity pressure speed distance depth volume \
        area latitude longitude rating",
    ),
    ("Boolean", "availability"),
];

/// The name of an attribute and the span of its words.
pub(crate) fn name_words(parsed: &Parsed, phrase: &Phrase, place: usize) -> (Vec<String>, usize) {
    let mut words = attribute_words(parsed, phrase);
    let head = parsed.head(phrase).to_owned();
    let mut end = phrase.end;
    // `date of birth`, `number of rooms`, `place of issue`: the name goes on after `of`.
    if let Some(of) = phrase.of.and_then(|of| parsed.phrases.get(of)) {
        let inner = attribute_words(parsed, of);
        let counted = head == "number" && of.plural;
        let bare =
            of.quantity == Quantity::Unsaid && !of.plural && of.owner.is_none() && of.possessive.is_none();
        let typed = parsed.head(of) == "type";
        if (counted || bare) && !typed {
            words.push("of".to_owned());
            let plural = counted
                .then(|| of.core.last().and_then(|at| parsed.tokens.get(*at)).map(|t| t.lower().to_owned()))
                .flatten();
            words.extend(inner);
            if let (Some(plural), Some(last)) = (plural, words.last_mut()) {
                *last = plural;
            }
            end = end_with_of(parsed, place);
        }
    }
    (words, end)
}

/// The words of a property: adjectives count here, quantities do not.
fn attribute_words(parsed: &Parsed, phrase: &Phrase) -> Vec<String> {
    let last = phrase.core.len().saturating_sub(1);
    let words: Vec<String> = phrase
        .core
        .iter()
        .enumerate()
        .filter_map(|(place, at)| {
            let token = parsed.tokens.get(*at)?;
            let word = token.lower();
            if place == last {
                return Some(token.lemma.clone());
            }
            let kept = !lexicon::is_generic_modifier(word) || KEPT_MODIFIERS.contains(&word);
            kept.then(|| word.to_owned())
        })
        .collect();
    words
}

/// Modifiers that distinguish properties, although they mean nothing for things.
const KEPT_MODIFIERS: &[&str] = &[
    "first",
    "last",
    "full",
    "next",
    "previous",
    "short",
    "long",
    "total",
    "maximum",
    "minimum",
    "average",
    "current",
    "main",
    "second",
    "additional",
    "future",
    "latest",
    "earliest",
    "initial",
    "final",
    "original",
    "special",
    "unit",
    "due",
    "general",
    "expected",
];

/// The type that the name suggests; empty if none.
pub(crate) fn type_of(words: &[String]) -> &'static str {
    let first = words.first().map_or("", String::as_str);
    let of = words.iter().position(|w| w == "of");
    let head = of
        .and_then(|at| at.checked_sub(1))
        .and_then(|at| words.get(at))
        .or(words.last())
        .map_or("", String::as_str);
    if words.len() > 1 && matches!(first, "is" | "has" | "can") {
        return "Boolean";
    }
    if head == "number" {
        return if of.is_some() || words.len() == 1 { "Integer" } else { "String" };
    }
    if head == "amount" && of.is_none() {
        return "Money";
    }
    TYPES
        .iter()
        .find(|(_, list)| list.split_whitespace().any(|w| w == head))
        .map_or("String", |(name, _)| *name)
}

/// The name as it is written in the diagram.
pub(crate) fn spelled(words: &[String]) -> String {
    names::lower_camel(words)
}
