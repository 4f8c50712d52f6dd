//! Long lists, a page at a time. Never counts and never skips rows: a cursor names the last row seen.
//!
//! Rows are ordered newest first by a moment (or number) that never changes, then by id. So a row written while
//! somebody reads on appears before the first page and neither shifts nor repeats what follows.

use std::fmt;

use crate::StoreError;

/// The longest page there is; a longer wish is granted as this.
pub const MAX_PAGE_LIMIT: u32 = 200;

/// Sorts after every id: ids are visible ASCII, and this is the one ASCII character beyond them.
const AFTER_EVERY_ID: &str = "\u{7f}";

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Go on after this place; `None` for the first page.
    pub after: Option<Cursor>,
    /// How many rows at most: at least 1, at most [`MAX_PAGE_LIMIT`], whatever is asked.
    pub limit: u32,
}

impl PageRequest {
    /// The first page.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The page after a cursor.
    #[must_use]
    pub const fn after(cursor: Cursor, limit: u32) -> Self {
        Self { after: Some(cursor), limit }
    }

    fn rows(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE_LIMIT)
    }

    /// One row more than wanted, which is how the last page is known for the last.
    pub(crate) fn rows_to_fetch(&self) -> i64 {
        i64::from(self.rows()) + 1
    }

    /// Only rows strictly before this place are wanted.
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

/// So many rows are looked at for one page at most.
const MAX_SIFTED: usize = 1_000;

/// A page of the rows that `wanted` lets through, for what no index knows. `fetch` gives a page of all of them, and `place`
/// is where a row stands in that order. So that one call stays short, it ends after a thousand rows, with fewer on the
/// page than asked for and the place where to look on.
pub(crate) async fn sift<T, F>(
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
        if looked_at >= MAX_SIFTED {
            return Ok(Page { items: found, next: some.next });
        }
        after = some.next;
        limit = MAX_PAGE_LIMIT;
    }
}

/// Some rows, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Ask with this for more; `None` if that was all.
    pub next: Option<Cursor>,
}

/// A place in a list. Its text goes out to clients and comes back; what is in it is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    id: String,
}

impl Cursor {
    /// Reads the text of a cursor.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if this text was never a cursor.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let parts = text.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, id)));
        match parts {
            Some((at, id)) if id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self { at, id: id.to_owned() })
            }
            _ => Err(StoreError::Invalid { what: "cursor" }),
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
    fn a_cursor_survives_its_text() {
        for cursor in [Cursor { at: i64::MIN, id: "a~b".into() }, Cursor { at: 7, id: "x".into() }] {
            assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
        }
        for bad in ["", "7", "x~y", "99999999999999999999~a", "7~a\0", "7~ä"] {
            assert_eq!(Cursor::parse(bad), Err(StoreError::Invalid { what: "cursor" }), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_is_bounded_on_both_ends() {
        assert_eq!(PageRequest::first(0).rows_to_fetch(), 2);
        assert_eq!(PageRequest::first(u32::MAX).rows_to_fetch(), i64::from(MAX_PAGE_LIMIT) + 1);
    }
}
