//! Rules for entity-relationship diagrams.

mod attribute_line;
mod open_entity;
mod relation;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[&attribute_line::RULE, &relation::RULE, &open_entity::RULE];
