//! Accounts: how people prove who they are, and what they manage of themselves.

pub(crate) mod attempts;
pub mod confirm;
pub mod email_address;
pub mod hashing;
pub mod oidc;
mod passwords;
pub mod recovery;
pub mod second_factor;
pub mod sign_in;
pub mod tokens;
pub mod users;

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

use super::Error;
use crate::app::App;

const SECOND_US: i64 = 1_000_000;
const HOUR_S: i64 = 3600;

/// An e-mail address in the one form that is kept.
///
/// # Errors
/// When it is none.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let email = text.trim().to_lowercase();
    match email.parse::<lettre::Address>() {
        Ok(_) if email.len() <= 254 => Ok(email),
        _ => {
            Err(Error::invalid("email", "This is not an e-mail address. Write one such as ada@example.com."))
        }
    }
}

/// A name as people write it.
///
/// # Errors
/// When it is empty, too long, or not one line.
pub(super) fn name(path: &str, text: &str) -> Result<String, Error> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::invalid(path, "A name is one line of 1 to 200 characters."));
    }
    Ok(name)
}

/// Whether there are accounts, as far as this process has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// There are. They never go away, so that nobody asks again.
    some: OnceLock<()>,
    /// When it last asked and there were none, in microseconds since 1970.
    none_at: AtomicI64,
}

impl Seen {
    /// There are accounts from now on.
    pub(super) fn some(&self) {
        self.some.get_or_init(|| ());
    }
}

/// Nobody has to say who they are: there is no account, or nothing is kept. An account that another process makes is
/// seen within a second.
///
/// # Errors
/// When the database does not answer.
pub async fn is_local(app: &App) -> Result<bool, Error> {
    let Some(store) = &app.store else { return Ok(true) };
    let seen = &app.accounts_seen;
    if seen.some.get().is_some() {
        return Ok(false);
    }
    // Whom others can reach is nobody's in particular, and so needs a first account before anything else.
    let local = app.config.is_loopback();
    let now = app.clock.now_us().as_micros();
    // A clock that was set back asks anew, or it would trust what it saw until it comes there again.
    if (0..SECOND_US).contains(&now.saturating_sub(seen.none_at.load(Ordering::Relaxed))) {
        return Ok(local);
    }
    if store.has_users().await? {
        seen.some();
        return Ok(false);
    }
    seen.none_at.store(now, Ordering::Relaxed);
    Ok(local)
}
