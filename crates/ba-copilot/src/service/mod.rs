//! Use-cases: one file each. Doors parse, call one function here, and render what it returns.
//!
//! Never names axum, clap or HTML. Permissions and limits belong here; `access.rs` decides them.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod budgets;
pub mod check;
pub(crate) mod data_keys;
pub mod diagrams;
pub mod documents;
mod elsewhere;
mod error;
pub mod filters;
pub mod folders;
pub mod gauges;
pub mod generate;
pub mod health;
pub mod jobs;
pub mod knowledge;
pub mod limits;
pub mod live;
pub mod log_level;
pub mod mail;
mod mail_limits;
pub mod members;
pub mod once;
pub mod page;
pub mod picture;
pub mod projects;
pub mod provider_keys;
mod purse;
pub mod requirements;
pub mod reviews;
pub mod schema;
pub mod secrets;
mod spans;
pub mod verdicts;
pub mod webhooks;

pub use error::{Error, RETRY_AFTER_S};
/// What use-cases hand to doors, which never ask the store themselves.
pub use store::{
    Approval, AuditEvent, Baseline, BaselineItem, Comment, Delivery, Diagram, Folder, Invitation, JsonText,
    Member, Requirement, RequirementVersion, Role, Term, TimeUs, Token, TraceLink, User, Version,
    VersionSummary, Webhook,
};
