//! Newtypes of ids. Never generates one: ids are parameters.

use std::fmt;

use crate::row::stored_as;
use crate::{Field, StoreError};

/// Longer than any id scheme in use, short enough for every index.
const MAX_ID_BYTES: usize = 128;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 128 visible ASCII characters; what they mean is the caller's business.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// [`StoreError::Invalid`] if it is empty, too long, or holds anything but visible ASCII characters.
            pub fn parse(text: impl Into<String>) -> Result<Self, StoreError> {
                let text = text.into();
                let fits = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
                if fits { Ok(Self(text)) } else { Err(StoreError::Invalid { what: Field::Id }) }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        stored_as!($name, String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(ProjectId);
id!(
    /// Of a diagram through all its versions.
    DiagramId
);
id!(VersionId);
id!(GenerationId);

id!(UserId);
id!(
    /// Not a secret.
    SessionId
);
id!(
    /// Not a secret.
    TokenId
);
id!(
    /// Not a secret.
    InvitationId
);
id!(AuditEventId);
id!(
    /// Of a requirement through all its versions.
    RequirementId
);
id!(TraceLinkId);
id!(TermId);
id!(CommentId);
id!(ApprovalId);
id!(BaselineId);
id!(DataKeyId);
id!(ProviderKeyId);
id!(JobId);
id!(WebhookId);
id!(
    /// Of one delivery attempt.
    DeliveryId
);
id!(BudgetId);
id!(FolderId);

impl ProjectId {
    /// The project that exists in every migrated database, for local mode.
    #[must_use]
    pub fn default_project() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_visible_ascii_of_bounded_length() {
        assert_eq!(ProjectId::parse("0198-a.b_c:d").unwrap().as_str(), "0198-a.b_c:d");
        assert!(ProjectId::parse("x".repeat(MAX_ID_BYTES)).is_ok());
        for bad in ["", "two words", "tab\t", "nul\0", "ünïcode", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert_eq!(ProjectId::parse(bad), Err(StoreError::Invalid { what: Field::Id }), "{bad:?}");
        }
    }
}
