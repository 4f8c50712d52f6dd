//! What whoever runs the product does with it, beside `service`: one file or folder each.
//!
//! May name the store and the file system; never axum, clap or HTML.

pub mod doctor;
