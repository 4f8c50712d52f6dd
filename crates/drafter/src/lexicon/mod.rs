//! What single words can be, without their neighbours.
//!
//! The lists are in `tables.rs`, the endings in `inflect.rs`; `tag.rs` decides between the readings. Never reads a
//! file: the lists are part of the program.

mod inflect;
mod readings;
mod tables;
mod words;

pub(crate) use inflect::{guess_base, is_plural, past, singular, third_person};
pub(crate) use readings::{Readings, readings};
pub(crate) use words::{
    is_abstract, is_adjective, is_attribute_head, is_external_head, is_generic_modifier, is_generic_noun,
    is_person, is_system_head, is_weak_attribute_head,
};
