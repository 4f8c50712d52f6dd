//! What a use-case diagram is made of.

use diagram::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A use-case diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct UseCaseModel {
    /// Name of the system, written on its boundary; empty if it has none.
    #[schemars(length(max = 120))]
    pub system: String,
    /// Who uses the system, or is used by it.
    #[schemars(length(max = 60))]
    pub actors: Vec<Actor>,
    /// What the system does for them.
    #[schemars(length(max = 120))]
    pub use_cases: Vec<UseCase>,
    /// The lines. Both ends must be names of `actors` or `use_cases`.
    #[schemars(length(max = 300))]
    pub links: Vec<UseCaseLink>,
}

/// A role outside the system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Actor {
    /// Singular noun, unique among actors and use cases, for example `Store manager`.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Another system or device, not a person.
    pub external_system: bool,
    /// Words copied from the requirements that this actor comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// A goal that the system helps to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct UseCase {
    /// Verb and object, unique among actors and use cases, for example `Renew a loan`.
    #[schemars(length(min = 1, max = 160))]
    pub name: String,
    /// Words copied from the requirements that this use case comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// A line of a use-case diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct UseCaseLink {
    /// Where it starts. Association: the actor. Include: the including use case. Extend: the extending use case.
    /// Generalization: the special one.
    #[schemars(length(min = 1, max = 160))]
    pub from: String,
    /// Where it ends. Association: the use case. Include: the included one. Extend: the extended one.
    /// Generalization: the general one.
    #[schemars(length(min = 1, max = 160))]
    pub to: String,
    /// What the line means.
    pub kind: UseCaseLinkKind,
    /// Words copied from the requirements that this line comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// UML relationships of a use-case diagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UseCaseLinkKind {
    /// An actor takes part in a use case.
    #[default]
    Association,
    /// One use case always does the other.
    Include,
    /// One use case sometimes adds to the other.
    Extend,
    /// One actor or use case is a special form of the other.
    Generalization,
}
