//! The product through its doors: HTTP, command line, pages, and the real process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test stops at the first surprise and says loudly what it could not look at"
)]

mod accounts;
mod api;
mod app;
mod audit_export;
mod bad_input;
mod cli;
mod docs;
mod filters;
mod folders;
mod fuzz;
mod imports;
mod mcp;
mod mcp_fixtures;
mod pages;
mod people;
mod permissions;
mod process;
mod projects;
mod providers;
mod remote;
mod teams;
mod viewer;
