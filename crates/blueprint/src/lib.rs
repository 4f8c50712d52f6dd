//! Typed diagrams.
//!
//! A [`Blueprint`] is what a diagram means: classes and relationships, actors and use cases, steps and decisions.
//! It never does I/O. Start reading at `kinds/mod.rs`.

pub mod kinds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use kinds::{
    activity::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind},
    class::{Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility},
    use_case::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel},
};

/// A half-open range of UTF-8 bytes in the requirement text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A kind of diagram that has a blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// UML class diagram.
    Class,
    /// UML use-case diagram.
    UseCase,
    /// UML activity diagram.
    Activity,
}

/// What a diagram means, whatever it looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Blueprint {
    /// Classes and their relationships.
    Class(ClassModel),
    /// Actors and what they want.
    UseCase(UseCaseModel),
    /// Steps and their order.
    Activity(ActivityModel),
}
