//! Integration tests of the crate: a real server on 127.0.0.1, recorded responses, and every kind of faulty response.
//!
//! No test sleeps, needs a key, or uses the network. The test rows are data for `check`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the lint detects tests by their attribute, and these are helpers"
)]

mod answers;
mod check;
mod failures;
mod gateways;
mod logs;
mod proxy;
mod recorded;
mod scripted;
mod server;
mod settings;
mod time;
