//! Rules for sequence diagrams. `lines.rs` tells messages, notes and blocks apart.

pub(crate) mod block_words;
pub(crate) mod foreign_message;
mod lines;
pub(crate) mod note_text;
pub(crate) mod open_block;
pub(crate) mod reserved_participant;
pub(crate) mod semicolon_in_text;
