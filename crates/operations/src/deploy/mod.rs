//! Brings a new version into service beside the current one, and the current one back if anything fails.
//!
//! There are two *slots*, blue and green; one of them serves. The new version starts in the other one *on standby*: it
//! runs and takes no traffic. It is verified there. Then the roles change, by a file in the folder of each slot
//! (`standby.rs` of the application): the new version serves, the old one is on standby and finishes its requests. It
//! is stopped only after the new version has served well for a while. Until then, a rollback removes one file and
//! writes another.
//!
//! `run.rs` is one deployment from start to end, `steps.rs` what happens before the switch, `switchover.rs` the switch
//! and the way back; `target.rs` starts and stops slots on each kind of target. Only the new version's own commands
//! touch the database.

mod command;
mod compose;
mod context;
mod error;
mod files;
mod processes;
mod release;
mod run;
mod slot;
mod state;
mod steps;
mod switchover;
mod systemd;
mod target;

pub use context::{Action, Deployed, Plan, Progress};
pub use error::{Error, StepError};
pub use release::Release;
pub use run::{deploy, run_command};
pub use slot::Slot;
