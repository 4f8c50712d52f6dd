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
