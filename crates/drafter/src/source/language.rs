//! The language of a text.
//!
//! Never doubts a text that has the small words of English.

/// A language other than English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-3.
    pub code: &'static str,
    /// In English: `German`.
    pub name: &'static str,
}

/// Words that every English text has.
const SMALL_WORDS: &[&str] = &[
    "the", "of", "and", "to", "is", "are", "has", "have", "for", "with", "can", "must", "shall", "should",
    "each", "this", "that", "be", "by", "an", "want", "when", "if", "as", "it", "from",
];

/// How much of a text is looked at.
const MAX_BYTES: usize = 8_000;

/// The language of a text, if it surely is not English.
pub(crate) fn detect(text: &str) -> Option<Language> {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let sample = text.get(..end).unwrap_or("");
    let words: Vec<String> =
        sample.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let small = words.iter().filter(|w| SMALL_WORDS.contains(&w.as_str())).count();
    if words.len() < 6 || small * 12 >= words.len() {
        return None;
    }
    let found = whatlang::detect(sample)?;
    let other = found.lang() != whatlang::Lang::Eng && found.is_reliable();
    other.then(|| Language { code: found.lang().code(), name: found.lang().eng_name() })
}
