//! Words of titles for search, lower-cased and bounded.

use std::collections::BTreeSet;

/// Maximum number of words of a title.
const MAX_WORDS: usize = 32;
/// Longer words are cut.
const MAX_WORD_CHARS: usize = 40;

/// The distinct words of a text, in lower case.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let fold = |word: &str| word.to_lowercase().chars().take(MAX_WORD_CHARS).collect::<String>();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(fold)
        .take(MAX_WORDS)
        .collect()
}

/// True if a text has words that start with all of `asked`, which are as [`words`] returns them.
pub(crate) fn has_words(text: &str, asked: &BTreeSet<String>) -> bool {
    asked.iter().all(|asked| {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| word.to_lowercase().starts_with(asked.as_str()))
    })
}

/// Replaces the words of a title in the transaction `$tx`.
macro_rules! index_words {
    ($tx:ident, $diagram:expr) => {{
        let diagram = $diagram;
        sqlx::query("delete from diagram_words where diagram_id = $1")
            .bind(&diagram.id)
            .execute(&mut *$tx)
            .await?;
        for word in $crate::words::words(&diagram.title) {
            sqlx::query("insert into diagram_words (project_id, word, diagram_id) values ($1, $2, $3)")
                .bind(&diagram.project_id)
                .bind(word)
                .bind(&diagram.id)
                .execute(&mut *$tx)
                .await?;
        }
    }};
}

pub(crate) use index_words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_cased_and_bounded() {
        let of = |text: &str| words(text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("Order-to-Cash, v2 (Ärzte): order"), ["cash", "order", "to", "v2", "ärzte"]);
        assert_eq!(of(" \t—…"), Vec::<String>::new());
        assert_eq!(words(&"x ".repeat(100)).len(), 1);
        assert!(words(&(0..100).map(|n| format!("w{n} ")).collect::<String>()).len() <= MAX_WORDS);
        assert_eq!(of(&"ö".repeat(500))[0].chars().count(), MAX_WORD_CHARS);
        assert!(has_words("An Order, once paid, ends.", &words("ORD pai")));
        assert!(!has_words("An order, once paid, ends.", &words("order unpaid")));
        assert!(has_words(&"ö".repeat(500), &words(&"Ö".repeat(90))));
    }
}
