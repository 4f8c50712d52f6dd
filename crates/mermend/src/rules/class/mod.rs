//! Rules for class diagrams.

pub(crate) mod angle_generics;
pub(crate) mod keyword_declaration;
pub(crate) mod note_and_stereotype;
pub(crate) mod open_body;
pub(crate) mod relation;
