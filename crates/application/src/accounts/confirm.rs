//! Re-authentication before a change of credentials. A session alone is not enough: it may have been left open or
//! stolen.

use secrecy::SecretString;

use super::{passwords, totp};
use crate::{Error, access::Caller, app::App};

/// Users without a password must have signed in within this many minutes.
const RECENT_MIN: i64 = 10;

/// Proof of identity: either field is enough.
#[derive(Default)]
pub struct Proof {
    pub password: Option<SecretString>,
    /// A current code of the second factor, or a recovery code.
    pub code: Option<String>,
}

/// Verifies that the caller is the user of the session.
pub(super) async fn confirm(app: &App, caller: &Caller, proof: &Proof) -> Result<(), Error> {
    let person = caller.require_session()?;
    match (&proof.password, &proof.code) {
        (Some(password), _) => passwords::reauthenticate(app, person, password).await,
        // Without a second factor no code can be correct.
        (None, Some(code)) if person.second_factor.is_some() => totp::reauthenticate(app, person, code).await,
        _ if person.password_hash.is_some() => {
            let or = if person.second_factor.is_some() { " or a current code" } else { "" };
            Err(Error::invalid(
                "password",
                format!("This change requires confirmation. Send your password{or}."),
            ))
        }
        _ if is_recent(app, caller) => Ok(()),
        _ => Err(Error::Forbidden(format!(
            "Your account has no password, and you signed in more than {RECENT_MIN} minutes ago. Sign out, sign \
             in again, then try again."
        ))),
    }
}

fn is_recent(app: &App, caller: &Caller) -> bool {
    let since = app.clock.now_us().plus_seconds(-RECENT_MIN * 60);
    caller.signed_in_at().is_some_and(|at| at > since)
}
