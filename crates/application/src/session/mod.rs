//! State machine of a generation: generate, check, repair, ask again.
//!
//! No I/O, no async, no clock: [`Session`] receives results and returns the next step, so that tests are transcripts.
//! `prompts.rs` has the prompts, `outcome.rs` the result.

mod outcome;
mod prompts;
mod session;
#[cfg(test)]
mod tests;

pub use outcome::{Author, Outcome, TraceEntry};
pub use session::{Prompt, Session, Settings, Step};
