//! Hourly limits of mail by recipient, sender and network, shared by all processes on the database.

use store::{AttemptLimit, UserId};

use super::{
    Error,
    attempts::{self, Reserved},
    secrets,
};
use crate::{app::App, network::Network};

/// Period of the limits, in seconds.
pub(super) const WINDOW_S: i64 = 3600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailKind {
    PasswordReset,
    Verification,
    /// A link to the new address and a notice to the current one.
    EmailChange,
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

    /// Limit for one recipient, over all senders.
    const fn max_to_recipient(self) -> u32 {
        match self {
            MailKind::PasswordReset | MailKind::Verification | MailKind::EmailChange => 5,
            MailKind::Invitation => 10,
        }
    }

    /// Limit for one sender.
    const fn max_by_sender(self) -> u32 {
        match self {
            // A network, which many users may share.
            MailKind::PasswordReset => 100,
            MailKind::Verification | MailKind::EmailChange => 10,
            MailKind::Invitation => 50,
        }
    }
}

/// Who caused a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender<'a> {
    /// A signed-in user.
    Person(&'a UserId),
    /// An unauthenticated client of this network.
    Network(&'a Network),
}

/// Counts a message of a sender.
///
/// # Errors
///
/// [`Error::RateLimited`] when the hourly limit is reached.
pub(super) async fn count_sender(app: &App, kind: MailKind, sender: Sender<'_>) -> Result<(), Error> {
    let id = match sender {
        Sender::Person(user) => user.to_string(),
        // Hashed, so that no address is stored.
        Sender::Network(network) => secrets::hash(network.as_str()),
    };
    let limit = AttemptLimit { bucket: format!("mail:{}:by:{id}", kind.word()), max: kind.max_by_sender() };
    match attempts::reserve(app, vec![limit], WINDOW_S).await? {
        Ok(_) => Ok(()),
        Err(wait_s) => Err(Error::RateLimited {
            message: format!(
                "There were too many messages: at most {} of this kind are sent in an hour for one sender. Try \
                 again in {} minutes.",
                kind.max_by_sender(),
                wait_s.div_ceil(60)
            ),
            wait_s,
        }),
    }
}

/// Counts a message to an address; `None` if the hourly limit is reached and the message must not be sent.
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
            "A message was not sent: its recipient received {} of this kind within an hour",
            kind.max_to_recipient()
        );
    }
    Ok(counted)
}

/// The address without a subaddress, as in `ada+anything@example.com`: it is the same mailbox.
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
    fn subaddress_counts_as_the_same_mailbox() {
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
