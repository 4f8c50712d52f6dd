//! What a class diagram is made of.
//!
//! Names are the keys: a relationship names its two classes. See `kinds/mod.rs` for the other kinds.

use diagram::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClassModel {
    /// The classes, enumerations and interfaces.
    #[schemars(length(max = 80))]
    pub classes: Vec<Class>,
    /// How they relate. Both ends must be names of `classes`.
    #[schemars(length(max = 200))]
    pub relationships: Vec<Relationship>,
}

/// One box of a class diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Class {
    /// Singular noun in UpperCamelCase, unique in the diagram, for example `LoanItem`.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// What it is.
    pub kind: ClassKind,
    /// What it knows.
    #[schemars(length(max = 60))]
    pub attributes: Vec<Attribute>,
    /// What it can do.
    #[schemars(length(max = 60))]
    pub methods: Vec<Method>,
    /// For an enumeration: its values.
    #[schemars(length(max = 60))]
    pub literals: Vec<String>,
    /// Words copied from the requirements that this class comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// The stereotype of a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassKind {
    /// An ordinary class.
    #[default]
    Class,
    /// An enumeration; its values are `literals`.
    Enum,
    /// An interface.
    Interface,
    /// An abstract class.
    Abstract,
}

/// One attribute of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Attribute {
    /// lowerCamelCase, for example `dueDate`.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// `String`, `Integer`, `Decimal`, `Boolean`, `Date`, `DateTime`, `Money`, or the name of an enumeration; empty
    /// if unknown.
    #[serde(rename = "type")]
    #[schemars(length(max = 120))]
    pub type_name: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Words copied from the requirements that this attribute comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// One operation of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Method {
    /// lowerCamelCase verb, for example `renewLoan`.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Parameters as `name: Type`.
    #[schemars(length(max = 12))]
    pub parameters: Vec<String>,
    /// What it answers; empty for nothing.
    #[schemars(length(max = 120))]
    pub returns: String,
    /// Who may call it.
    pub visibility: Visibility,
    /// Words copied from the requirements that this operation comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// UML visibility.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// `+`
    #[default]
    Public,
    /// `-`
    Private,
    /// `#`
    Protected,
    /// `~`
    Package,
}

/// A line between two classes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Relationship {
    /// Name of the class it starts at. For inheritance and realization: the special one. For aggregation and
    /// composition: the whole.
    #[schemars(length(min = 1, max = 120))]
    pub from: String,
    /// Name of the class it ends at. For inheritance and realization: the general one. For aggregation and
    /// composition: the part.
    #[schemars(length(min = 1, max = 120))]
    pub to: String,
    /// What the line means.
    pub kind: RelationshipKind,
    /// A verb, for example `places`; empty for none.
    #[schemars(length(max = 120))]
    pub label: String,
    /// How many of `from` one `to` has: `1`, `0..1`, `1..*`, `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub multiplicity_from: Option<String>,
    /// How many of `to` one `from` has: `1`, `0..1`, `1..*`, `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub multiplicity_to: Option<String>,
    /// Words copied from the requirements that this line comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// UML relationships between classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelationshipKind {
    /// Knows.
    #[default]
    Association,
    /// Has, and the part lives on without it.
    Aggregation,
    /// Is made of: the part dies with the whole.
    Composition,
    /// Is a.
    Inheritance,
    /// Implements.
    Realization,
    /// Uses.
    Dependency,
}
