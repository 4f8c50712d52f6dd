//! Rules for class diagrams.

mod angle_generics;
mod angle_type;
mod keyword_declaration;
mod note_and_stereotype;
mod open_body;
mod relation;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[
    &angle_generics::RULE,
    &keyword_declaration::RULE,
    &relation::RULE,
    &note_and_stereotype::RULE,
    &open_body::RULE,
];

/// What is found in a valid class diagram.
pub(super) const WARNINGS: &[&RepairRule] = &[&angle_type::RULE];
