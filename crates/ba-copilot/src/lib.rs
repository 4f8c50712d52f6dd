//! The program `ba-copilot`: its command line, and the wiring of all parts into one process.

pub mod cli;
mod service_manager;
mod socket_handoff;
