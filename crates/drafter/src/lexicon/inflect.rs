//! Endings: singular of a noun, base form of a verb, and back.
//!
//! Never looks at neighbours: a word in, a word out.

use crate::lexicon::words::{irregular_verb, is_verb};

/// Irregular plurals, with their singular.
const IRREGULAR_NOUNS: &[(&str, &str)] = &[
    ("people", "person"),
    ("persons", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("geese", "goose"),
    ("mice", "mouse"),
    ("criteria", "criterion"),
    ("phenomena", "phenomenon"),
    ("indices", "index"),
    ("matrices", "matrix"),
    ("vertices", "vertex"),
    ("appendices", "appendix"),
    ("analyses", "analysis"),
    ("diagnoses", "diagnosis"),
    ("crises", "crisis"),
    ("bases", "base"),
    ("theses", "thesis"),
    ("leaves", "leaf"),
    ("lives", "life"),
    ("knives", "knife"),
    ("wives", "wife"),
    ("shelves", "shelf"),
    ("halves", "half"),
    ("movies", "movie"),
    ("cookies", "cookie"),
    ("ties", "tie"),
    ("lies", "lie"),
    ("pies", "pie"),
    ("buses", "bus"),
    ("gases", "gas"),
    ("shoes", "shoe"),
    ("canoes", "canoe"),
    ("toes", "toe"),
    ("statuses", "status"),
    ("viruses", "virus"),
    ("campuses", "campus"),
    ("bonuses", "bonus"),
    ("lenses", "lens"),
    ("axes", "axis"),
    ("caches", "cache"),
    ("quizzes", "quiz"),
];

/// Nouns that end like plurals and are none, or that are their own plural.
const ALREADY_SINGULAR: &[&str] = &[
    "status",
    "series",
    "species",
    "news",
    "bus",
    "gas",
    "lens",
    "address",
    "process",
    "class",
    "access",
    "business",
    "campus",
    "virus",
    "bonus",
    "analysis",
    "diagnosis",
    "basis",
    "crisis",
    "thesis",
    "aircraft",
    "data",
    "staff",
    "corps",
    "means",
    "chess",
    "bias",
    "canvas",
    "atlas",
    "alias",
    "christmas",
    "physics",
    "mathematics",
    "economics",
    "logistics",
    "politics",
    "analytics",
    "gps",
    "sms",
    "dns",
    "https",
    "css",
    "cms",
    "crm",
    "pos",
    "is",
    "was",
    "has",
    "this",
    "its",
    "his",
    "us",
    "plus",
    "always",
    "perhaps",
    "sales",
    "goods",
    "headquarters",
    "sports",
    "pros",
    "cons",
    "premises",
    "savings",
    "yes",
    "minus",
    "versus",
    "thus",
    "previous",
    "various",
    "does",
    "iris",
    "tennis",
    "oasis",
    "synopsis",
    "axis",
    "menus-of",
    "os",
    "ios",
    "lms",
    "saas",
    "aws",
    "vps",
    "kubernetes",
    "bonus",
    "census",
    "surplus",
    "corpus",
    "genus",
    "focus",
    "cactus",
];

/// The singular of a lower-case noun; a noun that has none comes back as it is.
pub(crate) fn singular(word: &str) -> String {
    if let Some((_, one)) = IRREGULAR_NOUNS.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    // A compound keeps its first parts: only the last is inflected.
    if let Some((first, last)) = word.rsplit_once('-') {
        return format!("{first}-{}", singular(last));
    }
    if word.len() < 3 || !word.ends_with('s') || ALREADY_SINGULAR.contains(&word) || !word.is_ascii() {
        return word.to_owned();
    }
    let cut = |n: usize| word.get(..word.len().saturating_sub(n)).unwrap_or(word).to_owned();
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    if word.len() > 4 && word.ends_with("ies") {
        return cut(3) + "y";
    }
    // `busses` is `bus`, `classes` is `class`.
    if word.ends_with("sses") && ALREADY_SINGULAR.contains(&cut(3).as_str()) {
        return cut(3);
    }
    if word.ends_with("sses")
        || word.ends_with("xes")
        || word.ends_with("ches")
        || word.ends_with("shes")
        || word.ends_with("zzes")
    {
        return cut(2);
    }
    if word.len() > 5 && word.ends_with("oes") {
        return cut(2);
    }
    cut(1)
}

/// Whether a lower-case noun is a plural.
pub(crate) fn is_plural(word: &str) -> bool {
    singular(word) != word
}

/// The base form if the word can be the third person (`places` -> `place`).
pub(super) fn base_of_s(word: &str) -> Option<String> {
    let stem = word.strip_suffix('s')?;
    if is_verb(stem) {
        return Some(stem.to_owned());
    }
    if let Some(stem) = word.strip_suffix("ies") {
        let base = format!("{stem}y");
        if is_verb(&base) {
            return Some(base);
        }
    }
    let stem = word.strip_suffix("es")?;
    is_verb(stem).then(|| stem.to_owned())
}

/// The base form if the word can be a past form or participle (`placed` -> `place`).
pub(super) fn base_of_past(word: &str) -> Option<String> {
    if let Some(base) = irregular_verb(word) {
        return Some(base.to_owned());
    }
    let stem = word.strip_suffix("ed")?;
    base_of_stem(stem).or_else(|| {
        let base = format!("{}y", word.strip_suffix("ied")?);
        is_verb(&base).then_some(base)
    })
}

/// The base form if the word can be a present participle (`placing` -> `place`).
pub(super) fn base_of_ing(word: &str) -> Option<String> {
    base_of_stem(word.strip_suffix("ing")?)
}

/// Undoes what an ending did to a stem: a lost `e`, a doubled consonant.
fn base_of_stem(stem: &str) -> Option<String> {
    let with_e = format!("{stem}e");
    if is_verb(stem) && !is_verb(&with_e) {
        return Some(stem.to_owned());
    }
    if is_verb(&with_e) {
        return Some(with_e);
    }
    if is_verb(stem) {
        return Some(stem.to_owned());
    }
    let mut back = stem.char_indices().rev();
    let (at, last) = back.next()?;
    let (_, before) = back.next()?;
    let single = stem.get(..at)?;
    (last == before && is_verb(single)).then(|| single.to_owned())
}

/// A guess at the base form of an unknown verb (`digitised` -> `digitise`).
pub(crate) fn guess_base(word: &str) -> String {
    let stem = match word.strip_suffix("ied") {
        Some(stem) => return format!("{stem}y"),
        None => word.strip_suffix("ed").or_else(|| word.strip_suffix("ing")),
    };
    let Some(stem) = stem.filter(|s| s.chars().count() > 2) else {
        return word.to_owned();
    };
    let ends = |list: &[&str]| list.iter().any(|end| stem.ends_with(end));
    if ends(&[
        "at", "is", "iz", "c", "g", "v", "u", "dl", "bl", "pl", "tl", "gl", "ur", "ar", "uc", "id", "ag",
    ]) && !ends(&["ing", "og"])
    {
        return format!("{stem}e");
    }
    stem.to_owned()
}

/// The past participle of a regular base form (`approve` -> `approved`).
pub(crate) fn past(base: &str) -> String {
    match base.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => format!("{stem}ied"),
        None if base.ends_with('e') => format!("{base}d"),
        None => format!("{base}ed"),
    }
}

/// The third person of a base form (`place` -> `places`).
pub(crate) fn third_person(base: &str) -> String {
    match base {
        "be" => "is".to_owned(),
        "have" => "has".to_owned(),
        _ if base.ends_with(['s', 'x', 'z'])
            || base.ends_with("ch")
            || base.ends_with("sh")
            || base.ends_with('o') =>
        {
            format!("{base}es")
        }
        _ if base.ends_with('y')
            && !base.ends_with("ay")
            && !base.ends_with("ey")
            && !base.ends_with("oy")
            && !base.ends_with("uy") =>
        {
            format!("{}ies", base.strip_suffix('y').unwrap_or(base))
        }
        _ => format!("{base}s"),
    }
}
