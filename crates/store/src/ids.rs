//! The names of things. Never makes one up: callers bring ids that sort and collide as they please.

use std::fmt;

use crate::StoreError;
use crate::row::kept_as;

/// Longer than any id scheme in use, short enough for every index.
const MAX_ID_BYTES: usize = 128;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 1 to 128 visible ASCII characters; what they mean is the caller's business.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes a text as an id.
            ///
            /// # Errors
            /// [`StoreError::Invalid`] if it is empty, too long, or holds anything but visible ASCII characters.
            pub fn parse(text: impl Into<String>) -> Result<Self, StoreError> {
                let text = text.into();
                let fits = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
                if fits { Ok(Self(text)) } else { Err(StoreError::Invalid { what: $what }) }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        kept_as!($name, String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Names a project.
    ProjectId,
    "project id"
);
id!(
    /// Names a diagram through all its versions.
    DiagramId,
    "diagram id"
);
id!(
    /// Names one version of one diagram.
    VersionId,
    "version id"
);
id!(
    /// Names one generation: one request and what became of it.
    GenerationId,
    "generation id"
);

id!(
    /// Names a person.
    UserId,
    "user id"
);
id!(
    /// Names a session; no secret.
    SessionId,
    "session id"
);
id!(
    /// Names a token; no secret.
    TokenId,
    "token id"
);
id!(
    /// Names an invitation; no secret.
    InvitationId,
    "invitation id"
);
id!(
    /// Names an audit event.
    AuditEventId,
    "audit event id"
);
id!(
    /// Names a requirement through all its versions.
    RequirementId,
    "requirement id"
);
id!(
    /// Names a trace link.
    TraceLinkId,
    "trace link id"
);
id!(
    /// Names a term of a glossary.
    TermId,
    "term id"
);
id!(
    /// Names a comment.
    CommentId,
    "comment id"
);
id!(
    /// Names an approval.
    ApprovalId,
    "approval id"
);
id!(
    /// Names a baseline.
    BaselineId,
    "baseline id"
);
id!(
    /// Names a data key.
    DataKeyId,
    "data key id"
);
id!(
    /// Names a key of a vendor.
    ProviderKeyId,
    "provider key id"
);
id!(
    /// Names a piece of work that any process may take up.
    JobId,
    "job id"
);
id!(
    /// Names a webhook.
    WebhookId,
    "webhook id"
);
id!(
    /// Names one attempt to tell a webhook.
    DeliveryId,
    "delivery id"
);
id!(
    /// Names a budget.
    BudgetId,
    "budget id"
);
id!(
    /// Names a folder.
    FolderId,
    "folder id"
);

impl ProjectId {
    /// The project that exists in every migrated database, for people who never asked for projects.
    #[must_use]
    pub fn default_project() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_visible_ascii_of_bounded_length() {
        assert_eq!(ProjectId::parse("0198-a.b_c:d").unwrap().as_str(), "0198-a.b_c:d");
        assert!(ProjectId::parse("x".repeat(MAX_ID_BYTES)).is_ok());
        for bad in ["", "two words", "tab\t", "nul\0", "ünïcode", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert_eq!(ProjectId::parse(bad), Err(StoreError::Invalid { what: "project id" }), "{bad:?}");
        }
    }
}
