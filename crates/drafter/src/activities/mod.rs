//! Activity diagrams from text.
//!
//! | file | idea |
//! |---|---|
//! | `steps.rs` | sentences to steps |
//! | `actions.rs` | one clause to one step |
//! | `conditions.rs` | `if …` to questions |
//! | `graph.rs` | steps to nodes and edges |
//!
//! Never leaves a node without a way in and a way out: the graph is made from nested steps, not from loose arrows.

mod actions;
mod conditions;
mod graph;
mod reader;
mod step;
mod steps;

use blueprint::ActivityModel;

use crate::analysis::Analysis;

/// Drafts an activity model.
pub(crate) fn draft(text: &str, analysis: &Analysis) -> (ActivityModel, Vec<String>) {
    let mut notes = Vec::new();
    let sequence = steps::read(text, analysis, &mut notes);
    let model = graph::build(sequence, &mut notes);
    if model.nodes.is_empty() {
        notes.push("No steps were found in the text.".to_owned());
    }
    (model, notes)
}
