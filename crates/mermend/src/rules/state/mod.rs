//! Rules for state diagrams.

mod open_state;
mod statement;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[&statement::RULE, &open_state::RULE];
