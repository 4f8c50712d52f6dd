//! Persistence: users, projects, diagrams, versions, generations, requirements, jobs and the audit log.
//!
//! The only owner of SQL. One [`Store`] uses SQLite (a file) or PostgreSQL (a server) through the same statements. It
//! never speaks HTTP, never decides who may see what, never reads a clock and never generates an id: times and ids are
//! parameters. Every method may return the errors of the database ([`StoreError::Unavailable`],
//! [`StoreError::Misconfigured`], [`StoreError::Internal`]); `# Errors` lists others.
//!
//! Guarantees: a call that returned `Ok` is on disk (SQLite: write-ahead log, `synchronous=FULL`), so a process killed
//! right afterwards loses nothing; a generation and its version are written together or not at all; a version is
//! immutable.
//!
//! Read next: `pool.rs` (one SQL text for two databases), `generations.rs` (the central write), `migrate.rs`.

#![expect(missing_docs, reason = "a name that says it all has no comment")]

mod account_statements;
mod attempts;
mod audit;
mod backup_lock;
mod budgets;
mod catalog;
mod credentials;
mod diagnosis;
mod diagrams;
mod error;
mod fence;
mod folders;
mod generations;
mod glossary;
mod idempotency;
mod identities;
mod ids;
mod integrity;
mod jobs;
mod json;
mod log_mark;
mod members;
mod migrate;
mod notifications;
mod one_time_tokens;
mod ownership;
mod page;
mod pool;
mod postgres;
mod projects;
mod provider_keys;
mod recovery_codes;
mod requirements;
mod reviews;
mod row;
mod search;
mod sessions;
mod snapshot;
mod store;
mod subject;
mod temp_database;
mod text;
mod time;
mod tls;
mod tokens;
mod transfer;
mod users;
mod versions;
mod webhooks;
mod words;

pub use attempts::{AttemptDecision, AttemptLimit};
pub use audit::{AuditEvent, AuditFilter, AuditOf, NewAuditEvent};
pub use backup_lock::BackupLock;
pub use budgets::{
    Budget, BudgetLimits, BudgetOf, BudgetPeriod, BudgetState, Calendar, MAX_SPENDING, Reservation, Reserved,
    Spending,
};
pub use credentials::CredentialEvents;
pub use diagnosis::{OpenWork, PostgresFacts};
pub use diagrams::{Diagram, DiagramFilter, InFolder, NewDiagram};
pub use error::{ERROR_REASONS, FolderContents, StoreError};
pub use fence::Fence;
pub use folders::{Folder, MAX_FOLDER_DEPTH, MAX_FOLDERS};
pub use generations::{Generation, GenerationStatus, NewGeneration, Recorded};
pub use glossary::Term;
pub use idempotency::{IdempotentRequest, NewRequest};
pub use identities::Identity;
pub use ids::{
    ApprovalId, AuditEventId, BaselineId, BudgetId, CommentId, DataKeyId, DeliveryId, DiagramId, FolderId,
    GenerationId, InvitationId, JobId, ProjectId, ProviderKeyId, RequirementId, SessionId, TermId, TokenId,
    TraceLinkId, UserId, VersionId, WebhookId,
};
pub use integrity::IntegrityFault;
pub use jobs::{Job, JobCounts, JobEnd, JobKind, JobStatus};
pub use json::JsonText;
pub use members::{Invitation, InvitationLink, Member, Role};
pub use migrate::{Migrated, SchemaState};
pub use notifications::Notifications;
pub use one_time_tokens::{CodePurpose, OneTimeCode};
pub use page::{Cursor, MAX_PAGE_LIMIT, Page, PageRequest};
pub use pool::{Backend, ConnectOptions};
pub use postgres::Pooling;
pub use projects::{MyProject, Project};
pub use provider_keys::{DataKey, KeysOf, ProviderKey};
pub use requirements::{LinkFilter, Requirement, RequirementFilter, RequirementVersion, TraceLink};
pub use reviews::{Approval, Baseline, BaselineItem, Comment, CommentFilter};
pub use sessions::Session;
pub use snapshot::{Snapshot, SnapshotFacts};
pub use store::Store;
pub use subject::{Constraint, Field, Resource};
pub use temp_database::TempDatabase;
pub use time::TimeUs;
pub use tokens::Token;
pub use transfer::Moved;
pub use users::{NewUser, SecondFactor, User, UserUpdate};
pub use versions::{NewVersion, Touched, Version, VersionOf, VersionSummary};
pub use webhooks::{Delivery, MAX_WEBHOOKS, Webhook};
