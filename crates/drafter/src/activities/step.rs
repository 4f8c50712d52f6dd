//! The steps of an activity, nested as the text nests them.

use blueprint::Span;

/// A step of an activity, with the steps inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Action(Action),
    /// One of several ways is taken.
    Choice(Choice),
    /// All ways are taken at once.
    Parallel(Vec<Vec<Step>>),
    /// The process is over.
    End,
    /// The process continues at an earlier action, which these words name.
    Back(Vec<String>),
    /// The process continues at the last action of the lane that these words name.
    Return(Vec<String>),
    /// The process continues at the action before the decision that led here.
    Recheck,
}

/// An actor does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) label: String,
    pub(super) lane: String,
    pub(super) span: Span,
    /// The base form of its verb, to notice when the text speaks of it again.
    pub(super) verb: String,
}

/// A question and its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) question: String,
    pub(super) span: Span,
    /// Guard and steps of each way.
    pub(super) ways: Vec<(String, Vec<Step>)>,
    /// Whether `otherwise` still may add to the last way.
    pub(super) open: bool,
}
