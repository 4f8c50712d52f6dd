//! The second factor: a code of six digits from an app, new every half minute (RFC 6238), good once.

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

/// A second factor that is being set up: nothing is kept before a code of it was seen.
pub struct Offered {
    /// The secret, to type into an app.
    pub secret: String,
    /// The same as a link that apps open.
    pub url: String,
}

/// A new secret for the caller's app.
///
/// # Errors
/// When the caller has no account, or came with a token.
pub fn offer(caller: &Caller) -> Result<Offered, Error> {
    caller.in_person()?;
    let secret = Secret::from(secrets::random::<20>()?.as_slice());
    offer_again(caller, &secret.to_base32())
}

/// The same secret once more, after something else that came with it was wrong.
///
/// # Errors
/// When it is none, or the caller has no account.
pub fn offer_again(caller: &Caller, secret: &str) -> Result<Offered, Error> {
    let person = caller.in_person()?;
    let secret = Secret::try_from_base32(secret.trim()).map_err(|_| no_secret())?;
    let text = secret.to_base32();
    let url = totp(person, secret)?.to_url().map_err(|_| Error::Internal("no link for an app".to_owned()))?;
    Ok(Offered { secret: text, url })
}

/// Keeps the secret, now that the caller's app shows the right code, in place of the one before. Returns the recovery codes, which
/// are shown this once.
///
/// # Errors
/// When the code is not the secret's, or the caller did not confirm who they are.
pub async fn set(
    app: &App,
    caller: &Caller,
    secret: &str,
    code: &str,
    proof: &Proof,
) -> Result<Vec<String>, Error> {
    let person = caller.in_person()?;
    let wrong =
        || Error::invalid("code", "This is not the code that the app shows now. Type the newest one.");
    let parsed = Secret::try_from_base32(secret.trim()).map_err(|_| wrong())?;
    let bytes = parsed.as_ref().to_vec();
    if bytes.len() != 20 {
        return Err(wrong());
    }
    let step = totp(person, parsed)?.check(code.trim(), unix_seconds(app)).ok_or_else(wrong)?;
    // After the code, so that a mistyped one does not use up a recovery code.
    confirm(app, caller, proof).await?;
    let sealed = app.sealer()?.seal(&context(person), &bytes)?;
    let factor = SecondFactor { sealed: &sealed, step: i64::try_from(step).unwrap_or(i64::MAX) };
    let event = caller.did(app, "second_factor.set", None, person.id.as_str(), &json!({}))?;
    let codes = recovery_code::new_codes(person)?;
    store(app)?.set_second_factor(&person.id, Some(factor), &codes.hashes, caller.session(), &event).await?;
    Ok(codes.shown)
}

/// Takes the caller's second factor away.
///
/// # Errors
/// When the caller did not confirm who they are.
pub async fn delete(app: &App, caller: &Caller, proof: &Proof) -> Result<(), Error> {
    let person = caller.in_person()?;
    confirm(app, caller, proof).await?;
    let event = caller.did(app, "second_factor.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.set_second_factor(&person.id, None, &[], caller.session(), &event).await?)
}
