//! Parts of answers that all resources share.

use axum::http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use application::page::Page;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageReply<T> {
    /// The entries, newest first.
    items: Vec<T>,
    /// Value of `after` for the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> PageReply<T> {
    pub(super) fn from_page<U>(page: Page<U>, entry: impl FnMut(U) -> T) -> Self {
        let Page { items, next } = page.map(entry);
        PageReply { items, next }
    }
}

/// The `ETag` of a revision.
pub(super) fn etag(revision: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        headers.insert(header::ETAG, value);
    }
    headers
}

/// For strings, numbers and lists, which always serialize.
pub(super) fn as_json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
