//! Typed diagrams.
//!
//! A [`Blueprint`] is what a diagram means: classes and relationships, actors and use cases, steps and decisions. It is
//! parsed from a model's answer ([`parse`]), tidied ([`normalize`]), judged ([`lint`]), written as Mermaid ([`compile`])
//! and read back ([`read`]). Everything is a pure function; nothing here does I/O or fails on odd input. Start reading at
//! `kinds/mod.rs`.

mod compile;
mod escape;
pub mod kinds;
mod lint;
mod outline;
mod parse;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compile::{Compiled, Element, ElementKind, Target};
pub use kinds::{
    KINDS, KindRow,
    activity::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind},
    class::{Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility},
    use_case::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel},
};
pub use lint::{LINTS, Lint, LintRow, Severity};
pub use outline::{Outline, OutlineEdge, OutlineGroup, OutlineNode};
pub use parse::{MOST_BYTES, Problem};

/// A half-open range of UTF-8 bytes in the requirement text.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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

/// The JSON Schema of a kind's model (without the `kind` tag), for structured output of language models.
///
/// Closed objects, every property required, optional ones nullable, no references, and only keywords that every vendor
/// takes; bounds are told in the descriptions and enforced by [`parse`]. `sources` is not asked for: spans are computed.
pub fn schema(kind: Kind) -> serde_json::Value {
    schema::strict(&(kind.row().bounded_schema)())
}

/// Reads a model's answer: the JSON object of a kind's model, whatever stands around it.
///
/// # Errors
/// What cannot be taken: no JSON object, a list or text over its bound, an unknown choice. At most 30 problems.
pub fn parse(kind: Kind, json: &str) -> Result<Blueprint, Vec<Problem>> {
    let row = kind.row();
    let value = parse::read(json, &(row.bounded_schema)())?;
    (row.from_value)(value).map_err(|error| vec![Problem { path: String::new(), message: error.to_string() }])
}

/// Mends what is only cosmetic, and says what was done; empty if nothing was.
///
/// Never adds a thing that was not there. Normalizing twice is normalizing once.
pub fn normalize(blueprint: &mut Blueprint) -> Vec<String> {
    blueprint.model_mut().normalize()
}

/// What the rules of [`LINTS`] find, in the order of the blueprint.
pub fn lint(blueprint: &Blueprint) -> Vec<Lint> {
    blueprint.model().lint()
}

/// The blueprint as Mermaid text that Mermaid accepts, whatever the names are.
///
/// Lines to things that are not there are left out; [`lint`] names them (`BP001`).
pub fn compile(blueprint: &Blueprint, target: Target) -> Compiled {
    blueprint.model().compile(target)
}

/// Reads a blueprint back from what a Mermaid parser saw; `None` if there is nothing of this kind in it.
pub fn read(kind: Kind, outline: &Outline) -> Option<Blueprint> {
    (kind.row().read)(outline)
}

/// A one-line summary for people: `5 classes, 4 relationships: Customer, Order, …`.
pub fn describe(blueprint: &Blueprint) -> String {
    let text = blueprint.model().describe();
    text.trim_end_matches([' ', ':', ';']).to_owned()
}
