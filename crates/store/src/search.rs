//! Search for diagrams by the words of their titles, by prefix.
//!
//! A table of words and not the databases' own text search, because the two disagree on what a word is.

use crate::diagrams::DIAGRAM_COLUMNS;
use crate::pool::on_pool;
use crate::words::words;
use crate::{Diagram, DiagramFilter, ProjectId, Store, StoreError};

/// Maximum number of words of a query.
const MAX_ASKED: usize = 8;

/// Diagrams of project `$1` with a word that starts with `$2` and, for each further word, with `$6`, `$7` and so on;
/// at most `$3`. Filters are bound at `$4` and `$5`.
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
        DIAGRAM_COLUMNS
    )
}

impl Store {
    /// Diagrams of a project that match `filter` and whose titles have words that start with all the words of
    /// `asked`, newest first. Only 2,000 matches are considered: a longer query narrows them.
    pub async fn search_diagrams(
        &self,
        project: &ProjectId,
        asked: &str,
        filter: &DiagramFilter,
        limit: u32,
    ) -> Result<Vec<Diagram>, StoreError> {
        // The longest word first: it has the fewest matches, and the others only filter them.
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
