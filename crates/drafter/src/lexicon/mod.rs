//! What single words can be, without their neighbours.
//!
//! The tables are in `tables.rs`, the endings in `inflect.rs`; `tag.rs` decides between the possibilities. Never reads a
//! file: the lists are part of the program.

mod inflect;
mod tables;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

pub(crate) use inflect::{guess_base, is_plural, singular, third_person};

/// A list of words, looked up by hash.
type Words = LazyLock<HashSet<&'static str>>;

static VERBS: Words =
    LazyLock::new(|| tables::VERBS.split_whitespace().chain(tables::NOUN_VERBS.split_whitespace()).collect());
static NOUN_VERBS: Words = LazyLock::new(|| tables::NOUN_VERBS.split_whitespace().collect());
static ADJECTIVES: Words = LazyLock::new(|| tables::ADJECTIVES.split_whitespace().collect());
static GENERIC_MODIFIERS: Words = LazyLock::new(|| tables::GENERIC_MODIFIERS.split_whitespace().collect());
static GENERIC_NOUNS: Words = LazyLock::new(|| tables::GENERIC_NOUNS.split_whitespace().collect());
static ATTRIBUTE_HEADS: Words = LazyLock::new(|| tables::ATTRIBUTE_HEADS.split_whitespace().collect());
static WEAK_ATTRIBUTE_HEADS: Words =
    LazyLock::new(|| tables::WEAK_ATTRIBUTE_HEADS.split_whitespace().collect());
static PERSON_NOUNS: Words = LazyLock::new(|| tables::PERSON_NOUNS.split_whitespace().collect());
static EXTERNAL_HEADS: Words = LazyLock::new(|| tables::EXTERNAL_HEADS.split_whitespace().collect());
static SYSTEM_HEADS: Words = LazyLock::new(|| tables::SYSTEM_HEADS.split_whitespace().collect());
static IRREGULAR: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    tables::IRREGULAR_VERBS.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
});

/// A base form in the verb tables.
pub(crate) fn is_verb(base: &str) -> bool {
    VERBS.contains(base)
}

/// A word that can be a noun as well as a verb in its base form.
pub(crate) fn is_noun_verb(base: &str) -> bool {
    NOUN_VERBS.contains(base)
}

/// A known adjective.
pub(crate) fn is_adjective(word: &str) -> bool {
    ADJECTIVES.contains(word)
}

/// A modifier that says nothing about the kind of thing.
pub(crate) fn is_generic_modifier(word: &str) -> bool {
    GENERIC_MODIFIERS.contains(word)
}

/// A noun that names no thing of the domain.
pub(crate) fn is_generic_noun(word: &str) -> bool {
    GENERIC_NOUNS.contains(word)
}

/// A noun that usually is a property of something else.
pub(crate) fn is_attribute_head(word: &str) -> bool {
    ATTRIBUTE_HEADS.contains(word)
}

/// An attribute noun that is just as often a thing of its own.
pub(crate) fn is_weak_attribute_head(word: &str) -> bool {
    WEAK_ATTRIBUTE_HEADS.contains(word)
}

/// A noun for somebody, or for a group that acts like somebody.
pub(crate) fn is_person(word: &str) -> bool {
    if PERSON_NOUNS.contains(word) {
        return true;
    }
    // `-er`, `-or`, `-ist`, `-ee` make persons out of verbs, and things as well: the stem must be a known verb.
    let agent = |stem: &str| is_verb(stem) || is_verb(&format!("{stem}e"));
    word.strip_suffix("er")
        .or_else(|| word.strip_suffix("or"))
        .is_some_and(|stem| agent(stem) && !DEVICES.contains(&word))
        || word.strip_suffix("ist").is_some_and(|stem| stem.len() > 3)
        || word.strip_suffix("ee").is_some_and(agent)
        || word.ends_with("man") && word.len() > 4
        || word.ends_with("person")
}

/// Things, not persons, although they end like persons.
const DEVICES: &[&str] = &[
    "computer",
    "counter",
    "number",
    "order",
    "folder",
    "header",
    "footer",
    "filter",
    "printer",
    "scanner",
    "container",
    "tracker",
    "locker",
    "charger",
    "monitor",
    "register",
    "letter",
    "poster",
    "reminder",
    "trailer",
    "tower",
    "offer",
    "transfer",
    "container",
    "connector",
    "indicator",
    "calculator",
    "sensor",
    "factor",
    "meter",
    "newsletter",
    "voucher",
    "identifier",
    "placeholder",
    "transporter",
    "server",
    "browser",
    "router",
    "loader",
    "parser",
    "answer",
    "corner",
    "border",
    "layer",
    "buffer",
    "cooler",
];

/// The last word of the name of another system.
pub(crate) fn is_external_head(word: &str) -> bool {
    EXTERNAL_HEADS.contains(word)
}

/// The last word of the name of the system that is built.
pub(crate) fn is_system_head(word: &str) -> bool {
    SYSTEM_HEADS.contains(word)
}

/// The base form of an irregular past.
fn irregular_verb(word: &str) -> Option<&'static str> {
    IRREGULAR.get(word).copied()
}

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

/// A noun for a doing or a quality, not for a thing.
pub(crate) fn is_abstract(word: &str) -> bool {
    ["tion", "sion", "ment", "ness", "ity", "ance", "ence", "ism", "ing", "sis"]
        .iter()
        .any(|end| word.len() > end.len() + 2 && word.ends_with(end))
}

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
