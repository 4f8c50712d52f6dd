//! The API: one file for each resource, with its wire types, its documentation and its handler.

pub mod generate;
pub mod health;
pub mod render;
pub mod repair;
pub mod validate;

/// Strings, numbers and lists as JSON: that cannot fail.
fn as_json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
