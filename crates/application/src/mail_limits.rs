//! How many messages may be sent: to one address, by one person, and on request of one network, in an hour, for all processes on
//! the database together.

use store::{AttemptLimit, UserId};

use super::{
    Error,
    accounts::attempts::{self, Reserved},
    secrets,
};
use crate::{app::App, network::Network};

/// Messages are counted for so long, in seconds.
pub(super) const WINDOW_S: i64 = 3600;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailKind {
    /// A link to choose a new password.
    PasswordReset,
    /// A link that proves an address.
    Verification,
    /// A link to the address that a user wants to have, and a notice to the one that they have.
    EmailChange,
    /// An invitation to a project.
    Invitation,
}

impl MailKind {
    fn word(self) -> &'static str {
        match self {
            MailKind::PasswordReset => "reset",
            MailKind::Verification => "verification",
            MailKind::EmailChange => "email_change",
            MailKind::Invitation => "invitation",
        }
    }

    /// To one address, from all senders together.
    const fn max_to_recipient(self) -> u32 {
        match self {
            MailKind::PasswordReset | MailKind::Verification | MailKind::EmailChange => 5,
            MailKind::Invitation => 10,
        }
    }

    /// By one sender.
    const fn max_by_sender(self) -> u32 {
        match self {
            // A network, behind which many people may be.
            MailKind::PasswordReset => 100,
            MailKind::Verification | MailKind::EmailChange => 10,
            MailKind::Invitation => 50,
        }
    }
}

/// On whose request a message is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender<'a> {
    /// A person who is signed in.
    Person(&'a UserId),
    /// Someone in this network.
    Network(&'a Network),
}

/// Counts a message of this sender, sent or not.
///
/// # Errors
/// [`Error::TooMany`] when there were too many in this hour.
pub(super) async fn count_sender(app: &App, kind: MailKind, sender: Sender<'_>) -> Result<(), Error> {
    let id = match sender {
        Sender::Person(user) => user.to_string(),
        // Hashed, so that no address is stored.
        Sender::Network(network) => secrets::hash(network.as_str()),
    };
    let limit = AttemptLimit { bucket: format!("mail:{}:by:{id}", kind.word()), max: kind.max_by_sender() };
    match attempts::reserve(app, vec![limit], WINDOW_S).await? {
        Ok(_) => Ok(()),
        Err(wait_s) => Err(Error::TooMany {
            message: format!(
                "These are too many messages for one hour: {} of this kind are sent for one sender. Try again in {} minutes.",
                kind.max_by_sender(),
                wait_s.div_ceil(60)
            ),
            wait_s,
        }),
    }
}

/// Counts a message to this address; `None` if there were too many in this hour, and it must not be sent.
pub(super) async fn count_recipient(
    app: &App,
    kind: MailKind,
    address: &str,
) -> Result<Option<Reserved>, Error> {
    let bucket = format!("mail:{}:to:{}", kind.word(), secrets::hash(&mailbox(address)));
    let limit = AttemptLimit { bucket, max: kind.max_to_recipient() };
    let counted = attempts::reserve(app, vec![limit], WINDOW_S).await?.ok();
    if counted.is_none() {
        metrics::counter!("ba_copilot_mails_limited_total").increment(1);
        tracing::warn!(
            "A message was not sent, because its recipient got {} of this kind within an hour",
            kind.max_to_recipient()
        );
    }
    Ok(counted)
}

/// The address without the tag that many providers let people add, as in `ada+anything@example.com`: it is the same mailbox.
fn mailbox(address: &str) -> String {
    let address = address.to_lowercase();
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let untagged = local.split_once('+').map_or(local, |(untagged, _)| untagged);
            format!("{untagged}@{domain}")
        }
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_makes_no_other_mailbox() {
        for (address, expected) in [
            ("ada@example.com", "ada@example.com"),
            ("Ada@Example.com", "ada@example.com"),
            ("ada+1@example.com", "ada@example.com"),
            ("ada+1+2@example.com", "ada@example.com"),
            ("ada@ex+ample.com", "ada@ex+ample.com"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mailbox(address), expected);
        }
    }
}
