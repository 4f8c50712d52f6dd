//! How many: what the words before a noun say about its number.
//!
//! Never looks at the noun itself; `phrases.rs` adds singular and plural.

use crate::tag::{Tag, Tagged};

/// How many are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Not said.
    #[default]
    Unsaid,
    /// `a`, `an`: some single one.
    A,
    /// `the`, `this`: a known one.
    The,
    /// `each`, `every`: what follows holds for all of them.
    Each,
    /// `several`, `many`, `some`: any number.
    Many,
    /// From, and up to if there is a limit.
    Range(u32, Option<u32>),
    /// `no`
    None,
}

impl Quantity {
    /// The multiplicity in UML notation; for what is not said, the plural decides.
    pub(crate) fn multiplicity(self, plural: bool) -> String {
        match self {
            Self::Range(low, Some(high)) if low == high => low.to_string(),
            Self::Range(low, Some(high)) => format!("{low}..{high}"),
            Self::Range(0, None) | Self::Many | Self::None => "*".to_owned(),
            Self::Range(low, None) => format!("{low}..*"),
            _ if plural => "*".to_owned(),
            _ => "1".to_owned(),
        }
    }

    /// Whether the words state a number or a limit.
    pub(crate) fn is_stated(self) -> bool {
        matches!(self, Self::Range(..))
    }
}

/// Numbers in words.
const NUMBERS: &[(&str, u32)] = &[
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("fifteen", 15),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("hundred", 100),
];

/// The value of a number word.
fn number(word: &str) -> Option<u32> {
    NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).or_else(|| word.parse().ok())
}

/// What a place in a pattern of [`PATTERNS`] makes of the numbers found there.
#[derive(Clone, Copy)]
enum Meaning {
    AtLeast,
    AtMost,
    Exactly,
    Between,
    Any,
    Optional,
    MoreThan,
}

/// Word patterns, longest first; `#` is a number.
const PATTERNS: &[(&[&str], Meaning)] = &[
    (&["a", "maximum", "of", "#"], Meaning::AtMost),
    (&["a", "minimum", "of", "#"], Meaning::AtLeast),
    (&["the", "maximum", "of", "#"], Meaning::AtMost),
    (&["between", "#", "and", "#"], Meaning::Between),
    (&["from", "#", "to", "#"], Meaning::Between),
    (&["no", "more", "than", "#"], Meaning::AtMost),
    (&["not", "more", "than", "#"], Meaning::AtMost),
    (&["no", "less", "than", "#"], Meaning::AtLeast),
    (&["zero", "or", "one"], Meaning::Optional),
    (&["zero", "or", "more"], Meaning::Any),
    (&["zero", "to", "many"], Meaning::Any),
    (&["zero", ",", "one", "or", "more"], Meaning::Any),
    (&["#", "or", "more"], Meaning::AtLeast),
    (&["#", "or", "several"], Meaning::AtLeast),
    (&["#", "or", "many"], Meaning::AtLeast),
    (&["#", "to", "many"], Meaning::AtLeast),
    (&["any", "number", "of"], Meaning::Any),
    (&["more", "than", "#"], Meaning::MoreThan),
    (&["at", "least", "#"], Meaning::AtLeast),
    (&["at", "least", "a"], Meaning::AtLeast),
    (&["at", "most", "#"], Meaning::AtMost),
    (&["at", "the", "most", "#"], Meaning::AtMost),
    (&["up", "to", "#"], Meaning::AtMost),
    (&["maximum", "of", "#"], Meaning::AtMost),
    (&["#", "or", "#"], Meaning::Between),
    (&["#", "to", "#"], Meaning::Between),
    (&["an", "optional"], Meaning::Optional),
    (&["exactly", "#"], Meaning::Exactly),
    (&["precisely", "#"], Meaning::Exactly),
    (&["only", "#"], Meaning::Exactly),
    (&["#"], Meaning::Exactly),
];

/// Reads the quantity at `from`: what it means and the first token after it.
pub(crate) fn read(tokens: &[Tagged], from: usize) -> (Quantity, usize) {
    for (pattern, meaning) in PATTERNS {
        let mut values = Vec::new();
        let fits = pattern.iter().enumerate().all(|(step, wanted)| {
            tokens.get(from + step).is_some_and(|t| match *wanted {
                "#" => number(t.lower()).is_some_and(|value| {
                    values.push(value);
                    true
                }),
                word => t.lower() == word,
            })
        });
        if !fits {
            continue;
        }
        let first = values.first().copied().unwrap_or(1);
        let last = values.last().copied().unwrap_or(first);
        let quantity = match meaning {
            Meaning::AtLeast => Quantity::Range(first, None),
            Meaning::AtMost => Quantity::Range(0, Some(first)),
            Meaning::Exactly => Quantity::Range(first, Some(first)),
            Meaning::Between => Quantity::Range(first.min(last), Some(first.max(last))),
            Meaning::Any => Quantity::Many,
            Meaning::Optional => Quantity::Range(0, Some(1)),
            Meaning::MoreThan => Quantity::Range(first.saturating_add(1), None),
        };
        return (quantity, from + pattern.len());
    }
    let Some(token) = tokens.get(from) else {
        return (Quantity::Unsaid, from);
    };
    let quantity = match (token.tag, token.lower()) {
        (_, "a" | "an" | "another") => Quantity::A,
        (_, "each" | "every") => Quantity::Each,
        (Tag::Determiner, "any" | "either" | "neither") => Quantity::A,
        (_, "several" | "various" | "multiple" | "numerous") => Quantity::Many,
        (Tag::Determiner, "many" | "some" | "all" | "both" | "few" | "most" | "enough") => Quantity::Many,
        (Tag::Determiner, "no") => Quantity::None,
        (Tag::Determiner, _) => Quantity::The,
        (Tag::Number, _) => Quantity::Many,
        (Tag::Possessive, _) => Quantity::The,
        _ => return (Quantity::Unsaid, from),
    };
    (quantity, from + 1)
}
