//! Use-cases: one file each. Doors parse, call one function here, and render what it returns.
//!
//! Never names axum, clap or HTML. Permissions and limits belong here; `access.rs` decides them.

pub mod access;
pub mod accounts;
pub mod check;
pub mod diagrams;
mod error;
pub mod generate;
pub mod health;
pub mod knowledge;
pub mod limits;
pub mod mail;
pub mod members;
pub mod page;
pub mod picture;
pub mod projects;
pub mod provider_keys;
pub mod requirements;
pub mod reviews;
pub mod schema;
pub mod secrets;
pub mod verdicts;

pub use error::Error;
/// What use-cases hand to doors, which never ask the store themselves.
pub use store::{
    Approval, AuditEvent, Baseline, BaselineItem, Comment, Diagram, Invitation, JsonText, Member,
    Requirement, RequirementVersion, Role, Term, TimeUs, Token, TraceLink, User, Version, VersionSummary,
};
