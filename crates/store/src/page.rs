//! Cursor pagination. Never counts and never skips rows: a cursor names the last row of a page.
//!
//! Rows are ordered newest first by an immutable time (or number), then by id. A row written between two pages
//! appears before the first page and neither shifts nor repeats what follows.

use std::fmt;

use crate::{Field, StoreError};

/// Maximum page size; a larger limit is reduced to it.
pub const MAX_PAGE_LIMIT: u32 = 200;

/// Sorts after every id: ids are visible ASCII, and this is the one ASCII character beyond them.
const AFTER_EVERY_ID: &str = "\u{7f}";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// `None` for the first page.
    pub after: Option<Cursor>,
    /// Clamped to 1..=[`MAX_PAGE_LIMIT`].
    pub limit: u32,
}

impl PageRequest {
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    #[must_use]
    pub const fn after(cursor: Cursor, limit: u32) -> Self {
        Self { after: Some(cursor), limit }
    }

    fn rows(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE_LIMIT)
    }

    /// One more row than the page has, to detect the last page.
    pub(crate) fn rows_to_fetch(&self) -> i64 {
        i64::from(self.rows()) + 1
    }

    /// The position before which rows are wanted, exclusive.
    pub(crate) fn before(&self) -> (i64, &str) {
        self.after.as_ref().map_or((i64::MAX, AFTER_EVERY_ID), |cursor| (cursor.at, cursor.id.as_str()))
    }

    pub(crate) fn page<T>(&self, mut rows: Vec<T>, place: impl Fn(&T) -> (i64, &str)) -> Page<T> {
        let wanted = self.rows() as usize;
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().filter(|_| more).map(|row| {
            let (at, id) = place(row);
            Cursor { at, id: id.to_owned() }
        });
        Page { items: rows, next }
    }
}

/// Maximum number of rows read for one page.
const MAX_FILTERED: usize = 1_000;

/// A page of the rows that match `wanted`, which no index can select. `fetch` returns a page of all rows, and `place`
/// is the position of a row. Bounded: after [`MAX_FILTERED`] rows it returns a short page and the position to continue
/// from.
pub(crate) async fn filter_pages<T, F>(
    page: &PageRequest,
    place: impl Fn(&T) -> (i64, &str),
    wanted: impl Fn(&T) -> bool,
    fetch: impl Fn(PageRequest) -> F,
) -> Result<Page<T>, StoreError>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut found = Vec::new();
    let (mut looked_at, mut after) = (0, page.after.clone());
    let mut limit = page.rows() + 1;
    loop {
        let some = fetch(PageRequest { after, limit }).await?;
        looked_at += some.items.len();
        found.extend(some.items.into_iter().filter(&wanted));
        if found.len() > page.rows() as usize || some.next.is_none() {
            return Ok(page.page(found, place));
        }
        if looked_at >= MAX_FILTERED {
            return Ok(Page { items: found, next: some.next });
        }
        after = some.next;
        limit = MAX_PAGE_LIMIT;
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

/// A position in a list. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    id: String,
}

impl Cursor {
    /// Parses a cursor.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the text is not a cursor.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let parts = text.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, id)));
        match parts {
            Some((at, id)) if id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self { at, id: id.to_owned() })
            }
            _ => Err(StoreError::Invalid { what: Field::Cursor }),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.at, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips() {
        for cursor in [Cursor { at: i64::MIN, id: "a~b".into() }, Cursor { at: 7, id: "x".into() }] {
            assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
        }
        for bad in ["", "7", "x~y", "99999999999999999999~a", "7~a\0", "7~ä"] {
            assert_eq!(Cursor::parse(bad), Err(StoreError::Invalid { what: Field::Cursor }), "{bad:?}");
        }
    }

    #[test]
    fn limit_is_clamped() {
        assert_eq!(PageRequest::first(0).rows_to_fetch(), 2);
        assert_eq!(PageRequest::first(u32::MAX).rows_to_fetch(), i64::from(MAX_PAGE_LIMIT) + 1);
    }
}
