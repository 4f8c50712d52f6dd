//! Rules for XY charts.

mod unquoted_text;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[&unquoted_text::RULE];
