//! The operations of a patch.

use serde::{Deserialize, Serialize};

/// One change to a diagram. Boxes are named by their ids in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Add a box.
    AddNode {
        /// Its id: letters, digits and underscores.
        id: String,
        /// What is written on it; the id if not said.
        label: Option<String>,
        /// Flowcharts: `rect` (the default), `round`, `stadium`, `diamond`, `circle`, `hexagon` or `database`.
        shape: Option<String>,
    },
    /// Remove a box and every line at it.
    RemoveNode {
        /// Id of the box.
        id: String,
    },
    /// Give a box another id.
    RenameNode {
        /// Id of the box.
        id: String,
        /// Its new id.
        to: String,
    },
    /// Change what is written on a box.
    SetLabel {
        /// Id of the box.
        id: String,
        /// What is to be written on it.
        label: String,
    },
    /// Draw a line between two boxes that are there.
    AddEdge {
        /// Id of the box it starts at. Inheritance: the special one; aggregation and composition: the whole.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is written on it.
        label: Option<String>,
        /// Flowcharts: `arrow` (the default), `open`, `dotted` or `thick`. Class diagrams: `association` (the default),
        /// `link`, `aggregation`, `composition`, `inheritance`, `realization` or `dependency`.
        kind: Option<String>,
    },
    /// Remove a line.
    RemoveEdge {
        /// Id of the box it starts at.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is written on it, if there are several between the two.
        label: Option<String>,
    },
    /// Change what is written on a line.
    SetEdgeLabel {
        /// Id of the box it starts at.
        from: String,
        /// Id of the box it ends at.
        to: String,
        /// What is to be written on it; empty for nothing.
        label: String,
        /// What is written on it now, if there are several between the two.
        old: Option<String>,
    },
    /// Add a line to the box of a class.
    AddMember {
        /// Id of the class.
        id: String,
        /// For example `+date Date` or `+total() Money`.
        member: String,
    },
    /// Remove a line from the box of a class.
    RemoveMember {
        /// Id of the class.
        id: String,
        /// The line as it is written.
        member: String,
    },
}

/// The two families that can be patched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Flow,
    Class,
}

impl Operation {
    /// Its first edit is usually the right one, and is tried without reading the text again.
    pub(super) fn is_simple(&self) -> bool {
        matches!(
            self,
            Operation::AddNode { .. }
                | Operation::AddEdge { .. }
                | Operation::AddMember { .. }
                | Operation::RenameNode { .. }
                | Operation::SetLabel { .. }
        )
    }
}

/// The ids that an operation is about.
pub(super) fn names(operation: &Operation) -> (&str, Option<&str>) {
    use Operation::{
        AddEdge, AddMember, AddNode, RemoveEdge, RemoveMember, RemoveNode, RenameNode, SetEdgeLabel, SetLabel,
    };
    match operation {
        AddNode { id, .. } | RemoveNode { id } | RenameNode { id, .. } | SetLabel { id, .. } => (id, None),
        AddMember { id, .. } | RemoveMember { id, .. } => (id, None),
        AddEdge { from, to, .. } | RemoveEdge { from, to, .. } | SetEdgeLabel { from, to, .. } => {
            (from, Some(to))
        }
    }
}

/// An id or a member, short enough for a message.
pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A member without what Mermaid writes in its own way.
pub(super) fn plain(member: &str) -> String {
    member.chars().filter(|c| !c.is_whitespace() && *c != ':').collect()
}
