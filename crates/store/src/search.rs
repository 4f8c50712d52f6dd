//! Search: the diagrams of a project by the words of their titles. Knows beginnings of words and nothing of grammar.
//!
//! A table of words and not the databases' own text search, because the two disagree on what a word is.

use std::collections::BTreeSet;

use crate::diagrams::diagram_columns;
use crate::pool::on_pool;
use crate::{Diagram, DiagramFilter, ProjectId, Store, StoreError};

/// So many words of a title are known, and so many of a question looked for.
const MAX_WORDS: usize = 32;
const MAX_ASKED: usize = 8;
/// Longer words are known by their beginning.
const MAX_WORD_CHARS: usize = 40;

/// The words of a text, in small letters, each once.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let fold = |word: &str| word.to_lowercase().chars().take(MAX_WORD_CHARS).collect::<String>();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(fold)
        .take(MAX_WORDS)
        .collect()
}

/// Whether a text has words that begin with all of `asked`, which are as [`words`] makes them.
pub(crate) fn has_words(text: &str, asked: &BTreeSet<String>) -> bool {
    asked.iter().all(|asked| {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| word.to_lowercase().starts_with(asked.as_str()))
    })
}

/// Writes the words of a title in the transaction `$tx`, in place of those before.
macro_rules! keep_words {
    ($tx:ident, $diagram:expr) => {{
        let diagram: &$crate::Diagram = $diagram;
        sqlx::query("delete from diagram_words where diagram_id = $1")
            .bind(&diagram.id)
            .execute(&mut *$tx)
            .await?;
        for word in $crate::search::words(&diagram.title) {
            sqlx::query("insert into diagram_words (project_id, word, diagram_id) values ($1, $2, $3)")
                .bind(&diagram.project_id)
                .bind(word)
                .bind(&diagram.id)
                .execute(&mut *$tx)
                .await?;
        }
    }};
}

pub(crate) use keep_words;

/// Diagrams of project `$1` that have a word which begins with `$2` and, for each further word, with `$6`, `$7` and so
/// on; at most `$3`. What else is asked of them is at `$4` and `$5`.
fn statement(words: usize, filter: &DiagramFilter) -> String {
    let mut further = String::new();
    for place in 6..(5 + words) {
        further.push_str(&format!(
            "and exists (select 1 from diagram_words more where more.diagram_id = found.diagram_id \
             and more.project_id = $1 and more.word >= ${place} and more.word < ${place} || '\u{10ffff}') "
        ));
    }
    let conditions = filter.conditions();
    format!(
        "select {} from diagrams where id in (\
             select found.diagram_id from diagram_words found \
             where found.project_id = $1 and found.word >= $2 and found.word < $2 || '\u{10ffff}' {further}\
             limit 2000) {conditions} \
         order by created_at desc, id desc limit $3",
        diagram_columns!()
    )
}

impl Store {
    /// Diagrams of a project that `filter` lets through, and whose titles have words that begin with all the words of
    /// `asked`, last made first. Of more than two thousand that have them, any two thousand are looked at: whoever gets as
    /// many asks again with another word.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn search_diagrams(
        &self,
        project: &ProjectId,
        asked: &str,
        filter: &DiagramFilter,
        limit: u32,
    ) -> Result<Vec<Diagram>, StoreError> {
        // The longest first: it has the fewest hits, and the others are asked of those alone.
        let mut asked: Vec<String> = words(asked).into_iter().collect();
        asked.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        asked.truncate(MAX_ASKED);
        let Some((first, further)) = asked.split_first() else { return Ok(Vec::new()) };
        let statement = statement(asked.len(), filter);
        Ok(on_pool!(&self.pool, db => {
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(project).bind(first).bind(i64::from(limit))
                .bind(filter.kind.as_deref()).bind(filter.folder_id());
            for word in further {
                query = query.bind(word);
            }
            query.fetch_all(db).await
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_bounded() {
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
