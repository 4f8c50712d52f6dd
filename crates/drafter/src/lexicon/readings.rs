//! The parts of speech that a word can be.

use crate::lexicon::inflect::{self, guess_base};
use crate::lexicon::words::{is_adjective, is_noun_verb, is_verb};

/// What a word can be, by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Readings {
    /// As a verb in its base form.
    pub(crate) base: bool,
    /// As the third person of this verb.
    pub(crate) third: Option<String>,
    /// As the past or participle of this verb.
    pub(crate) past: Option<String>,
    /// As the present participle of this verb.
    pub(crate) ing: Option<String>,
    /// As a noun.
    pub(crate) noun: bool,
    /// As an adjective.
    pub(crate) adjective: bool,
}

/// Endings that make nouns.
const NOUN_ENDINGS: &[&str] = &[
    "tion", "sion", "ment", "ness", "ity", "ship", "ance", "ence", "ism", "hood", "ery", "ary", "ure", "age",
    "dom", "logy", "graphy",
];

/// Endings that make adjectives.
const ADJECTIVE_ENDINGS: &[&str] =
    &["able", "ible", "ous", "ful", "ive", "less", "ical", "ional", "ential", "ular", "ic", "ish"];

/// Nouns that end like adjectives.
const NOUNS_LIKE_ADJECTIVES: &[&str] = &[
    "table",
    "cable",
    "variable",
    "vegetable",
    "timetable",
    "archive",
    "executive",
    "representative",
    "detective",
    "music",
    "topic",
    "traffic",
    "clinic",
    "fabric",
    "metric",
    "public",
    "logic",
    "mechanic",
    "critic",
    "bible",
    "dish",
    "finish",
    "fish",
    "drive",
    "objective",
    "native",
    "relative",
    "initiative",
    "adjective",
    "perspective",
    "motive",
    "directive",
    "incentive",
    "collective",
    "professional",
    "topic",
    "graphic",
    "statistic",
    "republic",
    "picnic",
    "plastic",
    "ceramic",
    "medic",
    "deliverable",
    "receivable",
    "comic",
    "epic",
    "characteristic",
    "analytic",
];

/// The readings of a lower-case word.
pub(crate) fn readings(word: &str) -> Readings {
    let mut found = Readings {
        base: is_verb(word),
        third: inflect::base_of_s(word),
        past: inflect::base_of_past(word),
        ing: inflect::base_of_ing(word).filter(|_| !THINGS_IN_ING.contains(&word)),
        noun: false,
        // `self-service`, `short-listed`
        adjective: is_adjective(word)
            || is_comparative(word)
            || word.starts_with("self-")
            || (word.contains('-') && word.ends_with("ed")),
    };
    let ends = |list: &[&str]| list.iter().any(|end| word.len() > end.len() + 1 && word.ends_with(end));
    if !found.adjective && !found.base && ends(ADJECTIVE_ENDINGS) && !NOUNS_LIKE_ADJECTIVES.contains(&word) {
        found.adjective = true;
    }
    if found.past.is_none()
        && word.len() > 4
        && word.ends_with("ed")
        && !matches!(word, "speed" | "breed" | "hundred" | "weed" | "shed")
    {
        found.past = Some(guess_base(word));
    }
    if found.ing.is_none() && word.len() > 5 && word.ends_with("ing") && !THINGS_IN_ING.contains(&word) {
        found.ing = Some(guess_base(word));
    }
    let verbal = found.base || found.third.is_some() || found.past.is_some() || found.ing.is_some();
    let as_noun = |base: &str| is_noun_verb(base);
    found.noun = if found.base {
        as_noun(word)
    } else if let Some(base) = &found.third {
        as_noun(base)
    } else {
        !found.adjective && (!verbal || ends(NOUN_ENDINGS))
    };
    found
}

/// `easier`, `larger`, `fastest`: forms of known adjectives.
fn is_comparative(word: &str) -> bool {
    let stem = word.strip_suffix("er").or_else(|| word.strip_suffix("est")).filter(|stem| stem.len() > 2);
    stem.is_some_and(|stem| {
        let base = |end: &str| is_adjective(&format!("{stem}{end}"));
        let y = stem.strip_suffix('i').is_some_and(|root| is_adjective(&format!("{root}y")));
        !is_verb(stem) && !is_verb(&format!("{stem}e")) && (is_adjective(stem) || base("e") || y)
    })
}

/// Nouns in `-ing` that are no activity.
const THINGS_IN_ING: &[&str] = &[
    "building",
    "thing",
    "string",
    "ring",
    "king",
    "wing",
    "spring",
    "ceiling",
    "evening",
    "morning",
    "something",
    "nothing",
    "anything",
    "everything",
    "during",
    "sibling",
    "clothing",
    "wedding",
    "painting",
    "drawing",
    "meeting",
    "listing",
    "rating",
    "setting",
    "earring",
];
