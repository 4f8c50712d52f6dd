//! Activity diagrams from text.
//!
//! | file | idea |
//! |---|---|
//! | `steps.rs` | sentences to steps |
//! | `deeds.rs` | one clause to one step |
//! | `conditions.rs` | `if …` to questions |
//! | `graph.rs` | steps to nodes and edges |
//!
//! Never leaves a node without a way in and a way out: the graph is made from nested steps, not from loose arrows.

mod conditions;
mod deeds;
mod graph;
mod steps;

use blueprint::{ActivityModel, Span};

use crate::survey::Survey;

/// One thing in the order of things.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Somebody does something.
    Action(Action),
    /// One of several ways is taken.
    Choice(Choice),
    /// All ways are taken at once.
    Parallel(Vec<Vec<Step>>),
    /// The process is over.
    End,
    /// It goes on at an earlier action, named by these words.
    Back(Vec<String>),
}

/// Somebody does something.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Action {
    label: String,
    lane: String,
    span: Span,
    /// The base form of its verb, to notice when the text speaks of it again.
    verb: String,
}

/// A question and its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    question: String,
    span: Span,
    /// Guard and steps of each way.
    ways: Vec<(String, Vec<Step>)>,
    /// Whether `otherwise` still may add to the last way.
    open: bool,
}

/// Drafts an activity model.
pub(crate) fn draft(text: &str) -> (ActivityModel, Vec<String>) {
    let survey = Survey::new(text);
    let mut notes = Vec::new();
    let sequence = steps::read(text, &survey, &mut notes);
    let model = graph::build(sequence, &mut notes);
    if model.nodes.is_empty() {
        notes.push("No steps were found in the text.".to_owned());
    }
    (model, notes)
}
