//! What an activity diagram is made of.

use diagram::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An activity diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ActivityModel {
    /// What happens, and where paths part and meet.
    #[schemars(length(max = 200))]
    pub nodes: Vec<ActivityNode>,
    /// The order. Both ends must be ids of `nodes`.
    #[schemars(length(max = 400))]
    pub edges: Vec<ActivityEdge>,
}

/// One step, decision or bar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ActivityNode {
    /// Unique in the diagram, for example `check_stock`.
    #[schemars(length(min = 1, max = 60), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub id: String,
    /// What it is.
    pub kind: ActivityNodeKind,
    /// Action: verb and object. Decision: a question. Empty for start, end, fork and join.
    #[schemars(length(max = 160))]
    pub label: String,
    /// Who does it (the swimlane); empty if not said.
    #[schemars(length(max = 120))]
    pub lane: String,
    /// Words copied from the requirements that this node comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub evidence: Option<String>,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}

/// Kinds of nodes of an activity diagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityNodeKind {
    /// Something is done.
    #[default]
    Action,
    /// Where it begins.
    Start,
    /// Where it is over.
    End,
    /// One of several ways is taken; each way out has a guard.
    Decision,
    /// Alternative ways meet.
    Merge,
    /// All ways out are taken at once.
    Fork,
    /// Waits for all ways in.
    Join,
}

/// An arrow from one node to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ActivityEdge {
    /// Id of the node it leaves.
    #[schemars(length(min = 1, max = 60))]
    pub from: String,
    /// Id of the node it reaches.
    #[schemars(length(min = 1, max = 60))]
    pub to: String,
    /// Out of a decision: when this way is taken, for example `in stock`; else empty.
    #[schemars(length(max = 120))]
    pub guard: String,
    /// Where in the requirements it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub sources: Vec<Span>,
}
