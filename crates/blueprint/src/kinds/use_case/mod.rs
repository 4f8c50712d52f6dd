//! Use-case diagrams.

pub(super) mod compile;
pub(super) mod guide;
mod model;
pub(super) mod read;
pub(super) mod rules;

pub use model::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel};
