//! The kinds of diagrams that have a blueprint, one file each.

pub mod activity;
pub mod class;
pub mod use_case;
