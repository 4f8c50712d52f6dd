//! The access of every path, from the route tables.

use std::sync::LazyLock;

use crate::{
    api,
    http::access::{Access, AccessByPath},
    mcp, openapi, pages,
};

/// Every path of all roles, with its access.
pub static ACCESS_BY_PATH: LazyLock<AccessByPath> = LazyLock::new(|| {
    let tables = [api::probes(), api::routes(), pages::routes()];
    let rows = tables.into_iter().flatten().map(|route| (route.path, route.access));
    let docs = openapi::PATHS.map(|path| (path.to_owned(), Access::Public));
    let metadata = mcp::http::METADATA_PATHS.map(|path| (path.to_owned(), Access::Public));
    rows.chain(docs).chain(metadata).chain([(mcp::http::PATH.to_owned(), Access::Own)]).collect()
});

#[cfg(test)]
mod tests {
    use config::RESERVED_SEGMENTS;

    use super::*;

    #[test]
    fn no_base_path_begins_like_a_route() {
        for path in ACCESS_BY_PATH.keys() {
            let first = path.split('/').nth(1).unwrap_or_default();
            assert!(first.is_empty() || RESERVED_SEGMENTS.contains(&first), "{path}");
        }
    }
}
