//! What those who run servers do with them, beside what the servers do: one file or folder each.
//!
//! Use-cases, as `service` is: may name the store and the file system, never axum, clap or HTML. Unlike services they may ask other
//! servers over HTTP, at the addresses that they are given and nowhere else (`target.rs`).

pub mod backup;
pub mod deploy;
pub mod doctor;
pub mod monitor;
pub mod prometheus;
pub mod target;
pub mod verify;
