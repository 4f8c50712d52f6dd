//! Rules for state diagrams.

pub(crate) mod statement;
