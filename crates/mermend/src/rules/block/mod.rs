//! Rules for block diagrams.

mod block_text;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[&block_text::RULE];
