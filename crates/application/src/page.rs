//! Pagination of lists.

use store::{Cursor, PageRequest, StoreError};

use super::Error;

#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// `next` of the previous page.
    pub after: Option<String>,
    pub limit: Option<u32>,
}

const DEFAULT_LIMIT: u32 = 50;

impl Listing {
    pub(super) fn request(&self) -> Result<PageRequest, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=store::MAX_PAGE_LIMIT).contains(&limit) {
            return Err(Error::invalid(
                "limit",
                format!("A page has 1 to {} items. Use a `limit` in this range.", store::MAX_PAGE_LIMIT),
            ));
        }
        let after = self.after.as_deref().map(Cursor::parse).transpose().map_err(|_| {
            Error::invalid("after", "This is not the `next` of a page. Omit it to start at the first page.")
        })?;
        Ok(PageRequest { after, limit })
    }
}

/// All items of a list, fetched page by page.
pub(super) async fn fetch_all<T, F>(mut fetch: impl FnMut(PageRequest) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<store::Page<T>, StoreError>>,
{
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = fetch(PageRequest { after, limit: store::MAX_PAGE_LIMIT }).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// `after` of the next page.
    pub next: Option<String>,
}

impl<T> From<store::Page<T>> for Page<T> {
    fn from(page: store::Page<T>) -> Self {
        Page { items: page.items, next: page.next.map(|cursor| cursor.to_string()) }
    }
}

impl<T> Page<T> {
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next: self.next }
    }
}
