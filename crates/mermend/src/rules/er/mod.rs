//! Rules for entity-relationship diagrams.

pub(crate) mod attribute_line;
pub(crate) mod open_entity;
pub(crate) mod relation;
