//! What a parser read in a Mermaid text, without what only matters for drawing.
//!
//! Texts are as a reader of the picture sees them: entity codes are decoded. Ids are those of the Mermaid text.

use serde::{Deserialize, Serialize};

/// A parsed class diagram, flowchart or use-case diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// In the order of the text.
    pub nodes: Vec<OutlineNode>,
    /// In the order of the text.
    pub edges: Vec<OutlineEdge>,
    /// Subgraphs, namespaces and system boundaries.
    pub groups: Vec<OutlineGroup>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutlineNode {
    pub id: String,
    pub label: String,
    /// Mermaid's name of the shape (`rect`, `stadium`, `diamond`, …); `class`, `actor` or `usecase` in diagrams that
    /// have one shape for each.
    pub shape: String,
    /// Stereotypes of a class (`enumeration`), or the style classes of a node.
    pub stereotypes: Vec<String>,
    /// Attributes and methods of a class. As written, with entity codes: an escaped bracket is not a bracket.
    pub members: Vec<String>,
    /// Id of the group around it; empty without one.
    pub parent: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OutlineEdge {
    /// Id of the node at the start.
    pub from: String,
    /// Id of the node at the end.
    pub to: String,
    pub label: String,
    /// Flowcharts: `arrow`, `open`, `dotted` or `thick`. Classes: `association`, `link`, `aggregation`, `composition`,
    /// `inheritance`, `realization`, `dependency`. Use cases: `association`, `include`, `extend`, `generalization`.
    /// The direction is from the special to the general and from the whole to the part, however it was written.
    pub kind: String,
    /// The multiplicity at the start.
    pub from_label: String,
    /// The multiplicity at the end.
    pub to_label: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutlineGroup {
    pub id: String,
    pub label: String,
}

/// The sorts of parts that an [`Outline`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ElementKind"))]
#[serde(rename_all = "snake_case")]
pub enum OutlinePart {
    /// A box: a class, a step, an actor.
    Node,
    /// A line.
    Edge,
    /// A frame around boxes.
    Group,
    /// A line in the box of a class.
    Member,
}
