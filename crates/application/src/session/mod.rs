//! State machine of a generation: generate, check, repair, ask again.
//!
//! No I/O, no async, no clock: [`Session`] receives results and returns the next step, so that tests are transcripts.
//! `prompts.rs` has the prompts, `outcome.rs` the result.

mod outcome;
mod prompts;
mod state_machine;
#[cfg(test)]
mod tests;

pub use outcome::{Author, Outcome, TraceEntry};
pub use state_machine::{Prompt, Session, Settings, Step};
