//! The command line of `ba-copilot`, and the wiring of all crates into one process.

pub mod cli;
mod service_manager;
mod socket_handoff;
