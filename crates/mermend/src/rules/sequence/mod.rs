//! Rules for sequence diagrams. `lines.rs` reads messages, notes and blocks.

mod block_words;
mod foreign_message;
mod lines;
mod note_text;
mod open_block;
mod reserved_participant;
mod semicolon_in_text;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[
    &semicolon_in_text::RULE,
    &reserved_participant::RULE,
    &note_text::RULE,
    &foreign_message::RULE,
    &open_block::RULE,
    &block_words::RULE,
];
