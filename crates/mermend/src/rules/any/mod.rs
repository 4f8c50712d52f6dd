//! Rules for every kind of diagram: what stands around it, and how its header is written.

pub(crate) mod code_fence;
pub(crate) mod escaped_newlines;
pub(crate) mod foreign_comment;
pub(crate) mod header_case;
pub(crate) mod html_entities;
pub(crate) mod invisible_characters;
pub(crate) mod missing_header;
pub(crate) mod surrounding_prose;
pub(crate) mod thinking;
