//! A row of a route table, and who may call it.

use axum::{extract::DefaultBodyLimit, routing::MethodRouter};
use utoipa::openapi::{RefOr, Schema, path::Paths};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::{http::access::Access, state::AppState};

/// One path with its methods.
pub struct Route {
    pub path: String,
    pub methods: MethodRouter<AppState>,
    pub access: Access,
    /// What the OpenAPI document says about it; none for pages.
    pub(crate) operations: Paths,
    /// The schemas that the operations refer to.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Route {
    /// A documented route: `routes!` reads the path and the methods from `#[utoipa::path]`. It needs a caller.
    pub(crate) fn new((schemas, operations, methods): UtoipaMethodRouter<AppState>) -> Self {
        let path = operations.paths.keys().next().cloned().unwrap_or_default();
        Route { path, methods, access: Access::Authenticated, operations, schemas }
    }

    /// A page, which the OpenAPI document leaves out. It needs a caller.
    pub(crate) fn page(path: &str, methods: MethodRouter<AppState>) -> Self {
        Route {
            path: path.to_owned(),
            methods,
            access: Access::Authenticated,
            operations: Paths::new(),
            schemas: Vec::new(),
        }
    }

    /// Callers need not be authenticated.
    pub(crate) fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// A file that pages load.
    pub(crate) fn asset(mut self) -> Self {
        self.access = Access::Asset;
        self
    }

    /// Monitors and orchestrators ask for it every few seconds.
    pub(crate) fn probe(mut self) -> Self {
        self.access = Access::Probe;
        self
    }

    /// The limit of the request body, instead of `server.max_body_bytes`.
    pub(crate) fn max_body_bytes(mut self, limit: usize) -> Self {
        self.methods = self.methods.layer(DefaultBodyLimit::max(limit));
        self
    }
}
