//! What a Mermaid parser saw in a text: the input of reading a diagram back into a blueprint.
//!
//! The parser lives elsewhere and has its own type of the same JSON shape, so that neither crate needs the other.
//! Texts are as a person sees them (entity codes already turned back), ids are those of the Mermaid text.

use serde::{Deserialize, Serialize};

/// A parsed diagram, whatever its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outline {
    /// Boxes, in the order of the text.
    pub nodes: Vec<OutlineNode>,
    /// Lines, in the order of the text.
    pub edges: Vec<OutlineEdge>,
    /// Frames around boxes.
    pub groups: Vec<OutlineGroup>,
}

/// A box.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutlineNode {
    /// Its id in the text.
    pub id: String,
    /// What is written on it.
    pub label: String,
    /// Its shape, as Mermaid calls it: `rect`, `stadium`, `circle`, `doublecircle`, `diamond`, `actor`, `usecase`, `class`.
    pub shape: String,
    /// Stereotypes of a class (`enumeration`), or the style classes of a node.
    pub stereotypes: Vec<String>,
    /// Lines in the box of a class, as written.
    pub members: Vec<String>,
    /// Id of the group it stands in; empty if it stands in none.
    pub parent: String,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutlineEdge {
    /// Id of the node it starts at.
    pub from: String,
    /// Id of the node it ends at.
    pub to: String,
    /// What is written on it.
    pub label: String,
    /// How it is drawn: `arrow`, `open`, `dotted`, `thick`; for classes and use cases what it means: `association`,
    /// `link`, `aggregation`, `composition`, `inheritance`, `realization`, `dependency`, `include`, `extend`,
    /// `generalization`. For those it runs from the special to the general and from the whole to the part.
    pub kind: String,
    /// What is written at its start.
    pub from_label: String,
    /// What is written at its end.
    pub to_label: String,
}

/// A frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutlineGroup {
    /// Its id in the text.
    pub id: String,
    /// What is written on it.
    pub label: String,
}
