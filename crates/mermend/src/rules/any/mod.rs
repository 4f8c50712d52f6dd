//! Rules for every kind of diagram: what stands around it, and how its header is written.

mod code_fence;
mod escaped_newlines;
mod foreign_comment;
mod header_case;
mod html_entities;
mod invisible_characters;
mod missing_header;
mod surrounding_prose;
mod thinking;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[
    &thinking::RULE,
    &escaped_newlines::RULE,
    &code_fence::RULE,
    &surrounding_prose::RULE,
    &invisible_characters::RULE,
    &html_entities::RULE,
    &header_case::RULE,
    &missing_header::RULE,
    &foreign_comment::RULE,
];
