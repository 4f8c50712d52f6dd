//! Accounts: how people prove who they are, and what they manage of themselves.

mod passwords;
pub mod people;
pub mod second_factor;
pub mod sign_in;
pub mod tokens;

use store::TimeUs;

use super::Error;
use crate::app::App;

const SECOND_US: i64 = 1_000_000;
const HOUR_S: i64 = 3600;

/// So many seconds before (or, with a minus, after) a moment.
fn ago(now: TimeUs, seconds: i64) -> TimeUs {
    TimeUs::from_micros(now.as_micros().saturating_sub(seconds.saturating_mul(SECOND_US)))
}

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

/// Nobody has to say who they are: there is no account, or nothing is kept.
///
/// # Errors
/// When the database does not answer.
pub async fn is_local(app: &App) -> Result<bool, Error> {
    let Some(store) = &app.store else { return Ok(true) };
    // Accounts never go away, so that this is asked once they are there.
    if app.has_users.get().is_some() {
        return Ok(false);
    }
    if store.has_users().await? {
        app.has_users.get_or_init(|| ());
        return Ok(false);
    }
    // Whom others can reach is nobody's in particular, and so needs a first account before anything else.
    Ok(app.config.is_loopback())
}
