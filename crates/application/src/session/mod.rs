//! Generate → check → repair → ask again: decides the next step, and nothing else.
//!
//! No I/O, no async, no clock: [`Session`] is told what happened and says what to do next, so that its tests are
//! transcripts. `prompts.rs` holds what models are told, `outcome.rs` what comes out.

mod outcome;
mod prompts;
mod session;
#[cfg(test)]
mod tests;

pub use outcome::{Outcome, TraceEntry, Written};
pub use session::{Prompt, Session, Settings, Step};
