//! Management of the second factor: a time-based one-time password (RFC 6238).

use serde_json::json;
use store::SecondFactor;
use totp_rs::Secret;

use super::{
    confirm::{Proof, confirm},
    recovery_code,
    totp::{context, no_secret, totp, unix_seconds},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    secrets,
};

/// A second factor in setup. It is stored after a code of it was verified.
pub struct Offered {
    /// Shared secret, to type into an authenticator app.
    pub secret: String,
    /// The secret as an `otpauth` URL.
    pub url: String,
}

pub fn offer(caller: &Caller) -> Result<Offered, Error> {
    caller.require_session()?;
    let secret = Secret::from(secrets::random::<20>()?.as_slice());
    offer_again(caller, &secret.to_base32())
}

/// Offers the same secret again, after another field of the form was invalid.
pub fn offer_again(caller: &Caller, secret: &str) -> Result<Offered, Error> {
    let person = caller.require_session()?;
    let secret = Secret::try_from_base32(secret.trim()).map_err(|_| no_secret())?;
    let text = secret.to_base32();
    let url = totp(person, secret)?.to_url().map_err(|_| Error::Internal("no link for an app".to_owned()))?;
    Ok(Offered { secret: text, url })
}

/// Stores the secret after a code of it was verified, in place of the previous one. Returns the recovery codes, which
/// are shown only this once.
pub async fn set(
    app: &App,
    caller: &Caller,
    secret: &str,
    code: &str,
    proof: &Proof,
) -> Result<Vec<String>, Error> {
    let person = caller.require_session()?;
    let wrong = || Error::invalid("code", "The code is wrong. Enter the code that the app shows now.");
    let parsed = Secret::try_from_base32(secret.trim()).map_err(|_| wrong())?;
    let bytes = parsed.as_ref().to_vec();
    if bytes.len() != 20 {
        return Err(wrong());
    }
    let step = totp(person, parsed)?.check(code.trim(), unix_seconds(app)).ok_or_else(wrong)?;
    // After the code, so that a mistyped code does not use up a recovery code.
    confirm(app, caller, proof).await?;
    let sealed = app.sealer()?.seal(&context(person), &bytes)?;
    let factor = SecondFactor { sealed: &sealed, step: i64::try_from(step).unwrap_or(i64::MAX) };
    let event = caller.audit_event(app, "second_factor.set", None, person.id.as_str(), &json!({}))?;
    let codes = recovery_code::new_codes(person)?;
    store(app)?.set_second_factor(&person.id, Some(factor), &codes.hashes, caller.session(), &event).await?;
    Ok(codes.shown)
}

/// Removes the caller's second factor.
pub async fn delete(app: &App, caller: &Caller, proof: &Proof) -> Result<(), Error> {
    let person = caller.require_session()?;
    confirm(app, caller, proof).await?;
    let event = caller.audit_event(app, "second_factor.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.set_second_factor(&person.id, None, &[], caller.session(), &event).await?)
}
