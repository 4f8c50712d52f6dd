//! State machine of a generation: generate, check, repair, ask again.
//!
//! No I/O, no async, no clock: [`Session`] receives results and returns the next step, so that tests are transcripts.
//! `prompts.rs` has the prompts, `outcome.rs` the result, `trace.rs` the sources of its elements.

mod outcome;
mod prompts;
mod state_machine;
#[cfg(test)]
mod tests;
mod trace;

pub use outcome::{Author, Outcome};
pub use state_machine::{Prompt, Session, Settings, Step};
pub use trace::{TraceEntry, TracedVersion, carry_trace, keep_trace, trace_elements};
