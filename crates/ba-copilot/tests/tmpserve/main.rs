//! Temporary.
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "test")]
#![allow(dead_code, unused)]
#[path = "../it/app.rs"]
mod app;
#[path = "../it/base_path.rs"]
mod base_path;
#[path = "../it/mcp.rs"]
mod mcp;
#[path = "../it/mcp_fixtures.rs"]
mod mcp_fixtures;
#[path = "../it/mcp_transport.rs"]
mod mcp_transport;
#[path = "../it/process.rs"]
mod process;
#[path = "../it/users.rs"]
mod users;
