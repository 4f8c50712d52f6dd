//! The subject of an error: the missing resource, the taken constraint, the invalid part of the input.

use std::fmt;

/// An enum whose variants have one wording each.
macro_rules! worded {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $words:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            /// The noun in a sentence.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

worded! {
    /// A kind of thing that the store holds.
    Resource {
        AuditEvent => "audit event",
        Baseline => "baseline",
        Budget => "budget",
        Comment => "comment",
        Diagram => "diagram",
        Folder => "folder",
        Generation => "generation",
        Identity => "identity",
        Invitation => "invitation",
        Job => "job",
        Link => "link",
        Member => "member",
        Project => "project",
        ProviderKey => "key",
        Requirement => "requirement",
        SecondFactor => "second factor",
        Session => "session",
        Term => "term",
        Token => "token",
        TraceLink => "trace link",
        User => "user",
        UserList => "list of users",
        Version => "version",
        Webhook => "webhook",
    }
}

worded! {
    /// A unique constraint, of the same name on both databases.
    Constraint {
        ApprovalId => "approval id",
        AuditEventId => "audit event id",
        BaselineId => "baseline id",
        BudgetId => "budget id",
        BudgetPeriod => "period of the budget",
        CommentId => "comment id",
        DataKeyId => "data key id",
        DeliveryId => "delivery id",
        DiagramId => "diagram id",
        EmailAddress => "e-mail address",
        FolderId => "folder id",
        FolderName => "folder name",
        GenerationId => "generation id",
        IdempotencyKey => "idempotency key",
        Identity => "identity",
        InvitationId => "invitation id",
        JobId => "job id",
        ProjectBudget => "budget of the project",
        ProjectId => "project id",
        ProviderKey => "provider key",
        ProviderKeyId => "provider key id",
        RecoveryCode => "recovery code",
        RequirementId => "requirement id",
        SessionId => "session id",
        Term => "term",
        TermId => "term id",
        TokenId => "token id",
        TraceLink => "trace link",
        TraceLinkId => "trace link id",
        UserBudget => "budget of the user",
        UserId => "user id",
        VersionId => "version id",
        VersionNumber => "version number",
        WebhookId => "webhook id",
    }
}

impl Constraint {
    /// How SQLite and how PostgreSQL spell it.
    pub(crate) fn of_spelling(spelled: &str) -> Option<Self> {
        let known = SPELLINGS.iter().find(|(sqlite, postgres, _)| [*sqlite, *postgres].contains(&spelled));
        known.map(|(_, _, constraint)| *constraint)
    }
}

const SPELLINGS: &[(&str, &str, Constraint)] = &[
    ("projects.id", "projects_pkey", Constraint::ProjectId),
    ("diagrams.id", "diagrams_pkey", Constraint::DiagramId),
    ("generations.id", "generations_pkey", Constraint::GenerationId),
    ("diagram_versions.id", "diagram_versions_pkey", Constraint::VersionId),
    (
        "diagram_versions.diagram_id, diagram_versions.number",
        "diagram_versions_diagram_id_number_key",
        Constraint::VersionNumber,
    ),
    ("users.id", "users_pkey", Constraint::UserId),
    ("users.email", "users_email_key", Constraint::EmailAddress),
    ("sessions.id", "sessions_pkey", Constraint::SessionId),
    ("tokens.id", "tokens_pkey", Constraint::TokenId),
    ("invitations.id", "invitations_pkey", Constraint::InvitationId),
    ("audit_events.id", "audit_events_pkey", Constraint::AuditEventId),
    ("requirements.id", "requirements_pkey", Constraint::RequirementId),
    ("trace_links.id", "trace_links_pkey", Constraint::TraceLinkId),
    (
        "trace_links.requirement_id, trace_links.diagram_id, trace_links.element",
        "trace_links_requirement_id_diagram_id_element_key",
        Constraint::TraceLink,
    ),
    ("glossary_terms.id", "glossary_terms_pkey", Constraint::TermId),
    (
        "glossary_terms.project_id, glossary_terms.folded",
        "glossary_terms_project_id_folded_key",
        Constraint::Term,
    ),
    ("comments.id", "comments_pkey", Constraint::CommentId),
    ("approvals.id", "approvals_pkey", Constraint::ApprovalId),
    ("baselines.id", "baselines_pkey", Constraint::BaselineId),
    ("data_keys.id", "data_keys_pkey", Constraint::DataKeyId),
    ("provider_keys.id", "provider_keys_pkey", Constraint::ProviderKeyId),
    (
        "provider_keys.project_id, provider_keys.provider",
        "provider_keys_project_id_provider_key",
        Constraint::ProviderKey,
    ),
    (
        "provider_keys.user_id, provider_keys.provider",
        "provider_keys_user_id_provider_key",
        Constraint::ProviderKey,
    ),
    ("jobs.id", "jobs_pkey", Constraint::JobId),
    ("idempotent_requests.key_hash", "idempotent_requests_pkey", Constraint::IdempotencyKey),
    ("webhooks.id", "webhooks_pkey", Constraint::WebhookId),
    ("webhook_deliveries.id", "webhook_deliveries_pkey", Constraint::DeliveryId),
    ("budgets.id", "budgets_pkey", Constraint::BudgetId),
    ("budgets.project_id", "budgets_project_id_key", Constraint::ProjectBudget),
    ("budgets.user_id", "budgets_user_id_key", Constraint::UserBudget),
    ("budget_use.budget_id, budget_use.period_start", "budget_use_pkey", Constraint::BudgetPeriod),
    ("folders.id", "folders_pkey", Constraint::FolderId),
    ("index 'folders_by_name'", "folders_by_name", Constraint::FolderName),
    ("identities.issuer, identities.subject", "identities_pkey", Constraint::Identity),
    ("recovery_codes.secret_hash", "recovery_codes_pkey", Constraint::RecoveryCode),
];

worded! {
    /// A part of the input.
    Field {
        Comment => "comment",
        ContentId => "content id",
        Cost => "cost",
        Cursor => "cursor",
        Definition => "definition",
        Device => "device",
        Duration => "duration",
        Element => "element",
        EmailAddress => "e-mail address",
        ErrorCode => "error code",
        FolderName => "folder name",
        GenerationStatus => "generation status",
        Id => "id",
        Issuer => "issuer",
        JobKind => "kind of job",
        JobStatus => "status of a job",
        JsonText => "JSON text",
        JsonValue => "JSON value",
        Kind => "kind",
        MermaidText => "Mermaid text",
        Model => "model",
        Name => "name",
        Note => "note",
        Payload => "payload",
        BudgetLimit => "limit of the budget",
        BudgetPeriod => "period of the budget",
        ProjectName => "project name",
        Provider => "provider",
        Request => "request",
        Requirement => "requirement",
        Role => "role",
        StoredJson => "shape of stored JSON",
        Subject => "subject",
        Term => "term",
        Title => "title",
        Url => "url",
        Warning => "warning",
    }
}

impl Field {
    /// The name of the part in requests.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::BudgetLimit => "limit",
            Self::BudgetPeriod => "period",
            Self::Comment => "body",
            Self::ContentId => "content_id",
            Self::EmailAddress => "email",
            Self::ErrorCode => "error_code",
            Self::FolderName | Self::ProjectName => "name",
            Self::GenerationStatus | Self::JobStatus => "status",
            Self::JobKind => "kind",
            Self::JsonText | Self::JsonValue | Self::StoredJson => "json",
            Self::MermaidText => "code",
            Self::Request => "message",
            other => other.as_str(),
        }
    }
}
