//! Everything that is remembered: people and what they may enter, projects, diagrams, their versions, the generations
//! that made them, and what was changed by whom.
//!
//! The only owner of SQL. One [`Store`] speaks to SQLite (a file) or to PostgreSQL (a server) through the same
//! statements. It never speaks HTTP, never decides who may see what, never reads a clock and never makes an id:
//! times and ids are parameters.
//!
//! What it promises: a call that returned `Ok` is on disk (SQLite: write-ahead log, `synchronous=FULL`), so a process
//! killed right afterwards loses nothing; a generation and the version it made are written together or not at all; a
//! version, once written, never changes.
//!
//! Read next: `pool.rs` (how one text serves two databases), `generations.rs` (the one big write), `migrate.rs`.

mod attempts;
mod audit;
mod budgets;
mod changes;
mod codes;
mod credentials;
mod diagnosis;
mod diagrams;
mod error;
mod folders;
mod generations;
mod glossary;
mod identities;
mod ids;
mod jobs;
mod json;
mod members;
mod migrate;
mod ownership;
mod page;
mod pool;
mod projects;
mod provider_keys;
mod recovery_codes;
mod requests;
mod requirements;
mod reviews;
mod row;
mod scratch;
mod search;
mod sessions;
mod snapshot;
mod soundness;
mod time;
mod tokens;
mod transfer;
mod turn;
mod users;
mod versions;
mod webhooks;

use std::time::Duration;

pub use attempts::{AttemptDecision, AttemptLimit};
pub use audit::{AuditEvent, AuditFilter, AuditOf, Fence, NewAuditEvent};
pub use budgets::{
    Budget, BudgetLimits, BudgetOf, BudgetPeriod, BudgetState, Calendar, MAX_SPENDING, Reservation, Reserved,
    Spending,
};
pub use changes::Changes;
pub use codes::{CodePurpose, OneTimeCode};
pub use credentials::{CredentialEvents, SecondFactor};
pub use diagnosis::{OpenWork, PostgresFacts};
pub use diagrams::{Diagram, DiagramFilter, InFolder, NewDiagram};
pub use error::{ERROR_REASONS, StoreError};
pub use folders::{Folder, FolderContents, MAX_FOLDER_DEPTH, MAX_FOLDERS};
pub use generations::{Generation, GenerationStatus, NewGeneration, Recorded};
pub use glossary::Term;
pub use identities::Identity;
pub use ids::{
    ApprovalId, AuditEventId, BaselineId, BudgetId, CommentId, DataKeyId, DeliveryId, DiagramId, FolderId,
    GenerationId, InvitationId, JobId, ProjectId, ProviderKeyId, RequirementId, SessionId, TermId, TokenId,
    TraceLinkId, UserId, VersionId, WebhookId,
};
pub use jobs::{Job, JobCounts, JobEnd, JobKind, JobStatus};
pub use json::JsonText;
pub use members::{Invitation, InvitationLink, Member, Role};
pub use migrate::{Migrated, SchemaState};
pub use page::{Cursor, MAX_PAGE_LIMIT, Page, PageRequest};
pub use pool::{Backend, ConnectOptions};
pub use projects::{MyProject, Project};
pub use provider_keys::{DataKey, KeysOf, ProviderKey};
pub use requests::{NewRequest, OnceRequest};
pub use requirements::{LinkFilter, Requirement, RequirementFilter, RequirementVersion, TraceLink};
pub use reviews::{Approval, Baseline, BaselineItem, Comment, CommentFilter};
pub use scratch::Scratch;
pub use sessions::Session;
pub use snapshot::{Snapshot, SnapshotFacts};
pub use soundness::Fault;
pub use time::TimeUs;
pub use tokens::Token;
pub use transfer::Moved;
pub use turn::Turn;
pub use users::{NewUser, User, UserUpdate};
pub use versions::{NewVersion, Touched, Version, VersionOf, VersionSummary};
pub use webhooks::{Delivery, MAX_WEBHOOKS, Webhook};

/// An open database. Cheap to clone: clones share the same connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: pool::Pool,
}

impl Store {
    /// Opens `sqlite:PATH` (the file and its folder are created, readable by their owner alone) or
    /// `postgres://user:password@host/database`. Changes no table: call [`Store::migrate`] for that.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the URL or what it names cannot be used, [`StoreError::Unavailable`] if the
    /// server does not answer now. Neither repeats a PostgreSQL URL, because it may hold a password.
    pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        Ok(Self { pool: pool::Pool::connect(url, options).await? })
    }

    /// Which database this is; for health pages and for start-up messages.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.pool.backend()
    }

    /// Asks the database for as little as proves that it answers, and waits no longer than `within`.
    ///
    /// On SQLite it also sees whether the file is still the one that was opened: a file that was deleted or replaced
    /// under a running program goes on taking writes that nobody will find again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] in every case in which the answer is not yes.
    pub async fn ping(&self, within: Duration) -> Result<(), StoreError> {
        self.pool.ping(within).await
    }

    /// Waits for the calls under way, then closes every connection. On SQLite the write-ahead log is folded into the
    /// file. Not needed for durability, only for tidiness; later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
