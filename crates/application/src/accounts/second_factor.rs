//! The second factor: a code of six digits from an app, new every half minute (RFC 6238), good once.

use serde_json::json;
use store::{AttemptLimit, SecondFactor, User};
use totp_rs::{Builder, Secret, Totp};

use super::{
    attempts,
    confirm::{Proof, confirm},
    recovery,
    sign_in::{MAX_FAILURES, WINDOW_S, too_many_proofs},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    secrets::{self, Sealer},
};

/// A second factor that is being set up: nothing is kept before a code of it was seen.
pub struct Offered {
    /// The secret, to type into an app.
    pub secret: String,
    /// The same as a link that apps open.
    pub url: String,
}

fn totp(person: &User, secret: Secret) -> Result<Totp, Error> {
    // A colon would end the name in the link.
    let account = person.email.replace(':', "");
    Builder::new()
        .with_secret(secret)
        .with_account_name(account)
        .with_issuer(Some("BA Copilot"))
        .build()
        .map_err(|_| no_secret())
}

fn no_secret() -> Error {
    Error::invalid("secret", "This is not a secret that this server made. Begin again.")
}

fn context(person: &User) -> String {
    format!("second factor of {}", person.id)
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
    let codes = recovery::new_codes(person)?;
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

/// Seals the second factor of somebody anew.
pub(crate) async fn reseal(app: &App, person: &User) -> Result<(), Error> {
    let Some(old) = &person.second_factor else { return Ok(()) };
    let plain = open(app, person, old)?;
    let new = app.sealer()?.seal(&context(person), &plain)?;
    Ok(store(app)?.reseal_second_factor(&person.id, old, &new).await?)
}

/// Whether the second factor of somebody opens; none if they have none.
pub(crate) fn is_readable(app: &App, person: &User) -> Option<bool> {
    person.second_factor.as_ref().map(|sealed| open(app, person, sealed).is_ok())
}

fn open(app: &App, person: &User, sealed: &str) -> Result<Vec<u8>, Error> {
    app.sealer()?.open(&context(person), sealed).ok_or_else(|| {
        Error::Unavailable(
            "A second factor cannot be read with the SECRET_KEY of this server. Whoever runs it must set the one it was made with."
                .to_owned(),
        )
    })
}

/// Whether the key of the installation opens the second factor of somebody; none if they have none.
pub fn opens(sealer: &Sealer, person: &User) -> Option<bool> {
    person.second_factor.as_ref().map(|sealed| sealer.open(&context(person), sealed).is_some())
}

/// Whether somebody who is signed in knows a code now. Failures are counted as those of signing in are.
///
/// # Errors
/// When they do not, or failed too often.
pub(super) async fn prove(app: &App, person: &User, code: &str) -> Result<(), Error> {
    let bucket = format!("code:{}", person.id);
    let limit = AttemptLimit { bucket: bucket.clone(), max: MAX_FAILURES };
    let attempt = match attempts::reserve(app, vec![limit], WINDOW_S).await? {
        Ok(attempt) => attempt,
        Err(wait_s) => return Err(too_many_proofs(wait_s)),
    };
    match accepts(app, person, code).await {
        Ok(true) => attempt.clear(app, &bucket).await,
        Ok(false) => {
            metrics::counter!("ba_copilot_sign_in_failures_total").increment(1);
            Err(Error::invalid("code", "This is not a code that is good now. Type the newest one."))
        }
        // It was not compared.
        Err(error) => {
            attempt.give_back(app).await?;
            Err(error)
        }
    }
}

/// Whether a code is right, now and for the first time: one of the app, or a recovery code.
pub(super) async fn accepts(app: &App, person: &User, code: &str) -> Result<bool, Error> {
    let Some(sealed) = &person.second_factor else { return Ok(true) };
    if let Some(code) = recovery::read(code) {
        return recovery::use_up(app, person, &code).await;
    }
    let secret = open(app, person, sealed)?;
    let totp = totp(person, Secret::from(secret.as_slice()))?;
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    match totp.check(&digits, unix_seconds(app)) {
        Some(step) => {
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            Ok(store(app)?.use_second_factor_step(&person.id, step).await?)
        }
        None => Ok(false),
    }
}

fn unix_seconds(app: &App) -> u64 {
    u64::try_from(app.clock.now_us().as_micros() / 1_000_000).unwrap_or(0)
}
