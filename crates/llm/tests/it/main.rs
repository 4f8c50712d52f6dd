//! The crate at its boundary: a real server on 127.0.0.1, recorded replies, and every way in which a reply goes wrong.
//!
//! No test sleeps, needs a key, or leaves this machine. The rows are data behind `check`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the lint knows tests by their attribute, and these are their helpers"
)]

mod answers;
mod check;
mod failures;
mod logs;
mod recorded;
mod scripted;
mod server;
mod settings;
mod time;
