//! Accounts: authentication and self-service of users.

pub mod confirm;
pub mod email_address;
pub mod oidc;
mod passwords;
pub mod recovery;
mod recovery_code;
pub mod second_factor;
pub mod sign_in;
pub mod tokens;
pub mod totp;
pub mod users;

use super::Error;
use crate::app::App;

const SECOND_US: i64 = 1_000_000;
const HOUR_S: i64 = 3600;

/// Validates an e-mail address and returns its normalized form.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let email = text.trim().to_lowercase();
    match email.parse::<lettre::Address>() {
        Ok(_) if email.len() <= 254 => Ok(email),
        _ => Err(Error::invalid("email", "This is not an e-mail address. Use the form ada@example.com.")),
    }
}

/// Validates a name.
pub(super) fn name(path: &str, text: &str) -> Result<String, Error> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::invalid(path, "A name must be one line of 1 to 200 characters."));
    }
    Ok(name)
}

/// Whether no authentication is needed: no account exists, or this process has no database. An account that another
/// process creates is noticed within a second.
pub async fn is_local(app: &App) -> Result<bool, Error> {
    let Some(store) = &app.store else { return Ok(true) };
    let presence = &app.account_presence;
    if presence.is_known() {
        return Ok(false);
    }
    // A server that other machines reach needs its first account before anything else.
    let local = app.config.is_loopback();
    let now = app.clock.now_us();
    if presence.was_absent_within(SECOND_US, now) {
        return Ok(local);
    }
    if store.has_users().await? {
        presence.set_present();
        return Ok(false);
    }
    presence.set_absent(now);
    Ok(local)
}
