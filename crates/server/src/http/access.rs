//! Who may call a route. Every request carries this as an extension, so that the layers around the router need not
//! know the route tables.

use std::collections::HashMap;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Callers with a session or a token, or everyone where there are no accounts.
    Authenticated,
    /// Everyone.
    Public,
    /// Everyone, without a rate limit: what pages load.
    Asset,
    /// Everyone, without a rate limit, under any host name of the network, and without a line in the log: health
    /// and metrics.
    Probe,
    /// The route authenticates its callers itself: MCP.
    Own,
}

impl Access {
    /// Whether `http::identify` lets unauthenticated callers pass.
    #[must_use]
    pub fn is_open(self) -> bool {
        self != Access::Authenticated
    }

    /// Whether requests count against the rate limits.
    #[must_use]
    pub fn is_limited(self) -> bool {
        !matches!(self, Access::Asset | Access::Probe)
    }

    /// The access of the route that a request was matched to.
    pub(super) fn of_request(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or(Access::Authenticated)
    }
}

/// The access of each path.
pub type AccessByPath = HashMap<String, Access>;

/// Marks the request with the access of its route. A route outside the table needs a caller; a request without a
/// route is answered by the fallback, which is public.
pub async fn mark_access(
    State(table): State<&'static AccessByPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = match request.extensions().get::<MatchedPath>() {
        Some(path) => table.get(path.as_str()).copied().unwrap_or(Access::Authenticated),
        None => Access::Public,
    };
    request.extensions_mut().insert(access);
    next.run(request).await
}
