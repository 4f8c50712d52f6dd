//! Use-cases: one file each. Doors parse, call one function here, and render what it returns.
//!
//! Never names axum, clap or HTML. Permissions and limits belong here.

pub mod check;
pub mod diagrams;
mod error;
pub mod generate;
pub mod health;
pub mod knowledge;
pub mod picture;

pub use error::Error;
