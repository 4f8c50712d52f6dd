//! The product through its doors: HTTP, command line, pages, and the real process.

mod api;
mod app;
mod bad_input;
mod cli;
mod docs;
mod pages;
mod process;
mod providers;
