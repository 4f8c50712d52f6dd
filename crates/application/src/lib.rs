//! Use cases, one file each. Entry points (HTTP, MCP, command line) parse a request, call one function here, and
//! render the result.
//!
//! Independent of axum, clap and HTML. Permissions and limits are enforced here; permissions in `access.rs`.

pub mod access;
pub mod account_presence;
pub mod accounts;
pub mod after_response;
pub mod app;
mod attempts;
pub mod audit;
pub mod budgets;
pub mod check;
pub mod circuit_breaker;
pub mod clock;
pub mod cpu_pool;
pub mod data_keys;
pub mod data_lock;
pub mod diagrams;
pub mod documents;
pub mod encryption;
mod error;
pub mod event_bus;
pub mod event_stream;
pub mod folders;
pub mod generate;
pub mod health;
pub mod idempotency;
mod job_outcome;
pub mod jobs;
pub mod list_filters;
pub mod log_level;
pub mod mail;
mod mail_limits;
pub mod members;
pub mod network;
pub mod oidc_client;
pub mod open_diagram;
mod open_store;
pub mod page;
pub mod password_hashing;
pub mod picture;
pub mod pixel_budget;
pub mod private_files;
pub mod projects;
pub mod provider_keys;
pub mod quota;
pub mod rate_limits;
pub mod reference_docs;
pub mod remote;
pub mod requirements;
pub mod reviews;
pub mod runtime_metrics;
pub mod safe_http;
pub mod schema;
pub mod secrets;
pub mod session;
pub mod shared_memory;
pub mod standby;
pub mod verdicts;
pub mod webhooks;
mod written_version;

pub use error::{Error, RETRY_AFTER_S};
pub use open_store::pooling;
/// Types of the store that use cases return.
pub use store::{
    Approval, AuditEvent, Baseline, BaselineItem, Comment, Delivery, Diagram, Folder, Generation,
    GenerationStatus, Invitation, JsonText, Member, Requirement, RequirementVersion, Role, Term, TimeUs,
    Token, TraceLink, User, Version, VersionSummary, Webhook,
};
