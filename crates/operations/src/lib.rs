//! Use cases of operators: deploy, backup, and the diagnostics doctor, verify and monitor.
//!
//! This crate may use the store and the file system, and calls servers over HTTP at given addresses
//! (`server_client.rs`). It does not depend on axum, clap or HTML types.

pub mod backup;
pub mod deploy;
pub mod diagnostics;
pub mod doctor;
pub mod monitor;
pub mod prometheus;
pub mod server_client;
pub mod verify;
