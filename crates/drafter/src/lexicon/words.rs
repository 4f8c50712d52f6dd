//! The word lists, looked up by hash.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::lexicon::tables;

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
        || word.rsplit_once('-').is_some_and(|(_, last)| ATTRIBUTE_HEADS.contains(last))
}

/// An attribute noun that is just as often a thing of its own.
pub(crate) fn is_weak_attribute_head(word: &str) -> bool {
    WEAK_ATTRIBUTE_HEADS.contains(word)
}

/// A noun for a person, or for a group that acts like one.
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
pub(super) fn irregular_verb(word: &str) -> Option<&'static str> {
    IRREGULAR.get(word).copied()
}

/// A noun for a doing or a quality, not for a thing.
pub(crate) fn is_abstract(word: &str) -> bool {
    ["tion", "sion", "ment", "ness", "ity", "ance", "ence", "ism", "ing", "sis"]
        .iter()
        .any(|end| word.len() > end.len() + 2 && word.ends_with(end))
}
