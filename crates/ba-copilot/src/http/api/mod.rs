//! The API: one file for each resource, with its wire types, its documentation and its handler.

pub mod generate;
pub mod health;
pub mod render;
pub mod repair;
pub mod validate;
