//! Confirming once more who the caller is, before something changes that proves it. A session alone is not enough: it may have been
//! left open or stolen.

use secrecy::SecretString;

use super::{passwords, totp};
use crate::{Error, access::Caller, app::App};

/// People without a password confirm by having signed in within so many minutes.
const RECENT_MIN: i64 = 10;

/// What a person confirms with: one of both.
#[derive(Default)]
pub struct Proof {
    /// Their password.
    pub password: Option<SecretString>,
    /// A code of their second factor that works now, or a recovery code.
    pub code: Option<String>,
}

/// Confirms that the caller is the person whose session it is.
///
/// # Errors
/// When the password or the code is wrong or missing, or a person without a password signed in too long ago.
pub(super) async fn confirm(app: &App, caller: &Caller, proof: &Proof) -> Result<(), Error> {
    let person = caller.in_person()?;
    match (&proof.password, &proof.code) {
        (Some(password), _) => passwords::prove(app, person, password).await,
        // Without a second factor there is no code that could be right.
        (None, Some(code)) if person.second_factor.is_some() => totp::prove(app, person, code).await,
        _ if person.password_hash.is_some() => {
            let or = if person.second_factor.is_some() { ", or a code that works now" } else { "" };
            Err(Error::invalid("password", format!("Confirm that it is you: send your password{or}.")))
        }
        _ if is_recent(app, caller) => Ok(()),
        _ => Err(Error::Forbidden(format!(
            "You have no password here, and you signed in more than {RECENT_MIN} minutes ago. Sign out, sign in again, then try again."
        ))),
    }
}

fn is_recent(app: &App, caller: &Caller) -> bool {
    let since = app.clock.now_us().plus_seconds(-RECENT_MIN * 60);
    caller.signed_in_at().is_some_and(|at| at > since)
}
