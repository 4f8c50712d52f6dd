//! What `steps.rs` and `actions.rs` share while they read a text.

use crate::activities::step::Step;
use crate::analysis::Analysis;

/// The steps read so far.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) analysis: &'t Analysis,
    pub(super) steps: Vec<Step>,
    /// Sentences without a step.
    pub(super) skipped: usize,
}
