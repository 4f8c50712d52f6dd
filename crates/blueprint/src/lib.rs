//! Typed diagrams.
//!
//! A [`Blueprint`] is what a diagram means: classes and relationships, actors and use cases, steps and decisions. It
//! is parsed from a model's answer ([`parse`]), normalized ([`normalize`]), checked ([`lint`]), written as Mermaid
//! ([`compile`]) and read back ([`read`]). Everything is a pure function; nothing here does I/O or fails on odd
//! input. Start reading at `kinds/mod.rs`.

mod compile;
mod escape;
#[macro_use]
mod lint;
pub mod kinds;
mod parse;
mod schema;
mod text;

pub use compile::{Compiled, Element, ElementKind, Target};
pub use diagram::{Outline, OutlineEdge, OutlineGroup, OutlineNode, Severity, Span};
pub use kinds::{
    Blueprint, KINDS, Kind, KindRow, LINTS,
    activity::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind},
    class::{Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility},
    use_case::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel},
};
pub use lint::Lint;
pub use parse::{MOST_BYTES, Problem};

/// The JSON Schema of a kind's model (without the `kind` tag), for structured output of language models.
///
/// Closed objects, every property required, optional ones nullable, no references, and only keywords that every
/// vendor takes; bounds are written in the descriptions and enforced by [`parse`]. `sources` is not asked for: spans
/// are computed.
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

/// Corrects what does not change the meaning, and says what was corrected; empty if nothing was.
///
/// Never adds a thing that was not there. Normalizing twice is normalizing once.
pub fn normalize(blueprint: &mut Blueprint) -> Vec<String> {
    blueprint.model_mut().normalize()
}

/// What the rules of [`LINTS`] find, in the order of the blueprint.
pub fn lint(blueprint: &Blueprint) -> Vec<Lint> {
    blueprint.model().lint()
}

/// Whether there is nothing to draw.
pub fn is_empty(blueprint: &Blueprint) -> bool {
    lint(blueprint).iter().any(|lint| lint.code == lint::EMPTY_DIAGRAM.code)
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
