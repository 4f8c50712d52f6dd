//! Time-based one-time passwords (RFC 6238): each code is accepted once; the secret is sealed at rest.

use store::{AttemptLimit, User};
use totp_rs::{Builder, Secret, Totp};

use super::recovery_code;
use crate::{
    Error,
    access::store,
    app::App,
    attempts::{self, MAX_FAILURES, WINDOW_S, too_many_proofs},
    secrets::Sealer,
};

pub(super) fn totp(person: &User, secret: Secret) -> Result<Totp, Error> {
    // A colon would end the account name in the URL.
    let account = person.email.replace(':', "");
    Builder::new()
        .with_secret(secret)
        .with_account_name(account)
        .with_issuer(Some("BA Copilot"))
        .build()
        .map_err(|_| no_secret())
}

pub(super) fn no_secret() -> Error {
    Error::invalid("secret", "The secret was not created by this server. Start the setup again.")
}

pub(super) fn context(person: &User) -> String {
    format!("second factor of {}", person.id)
}

/// Seals the second factor of a user with the current key.
pub(crate) async fn reseal(app: &App, person: &User) -> Result<(), Error> {
    let Some(old) = &person.second_factor else { return Ok(()) };
    let plain = open(app, person, old)?;
    let new = app.sealer()?.seal(&context(person), &plain)?;
    Ok(store(app)?.reseal_second_factor(&person.id, old, &new).await?)
}

/// Whether the second factor of a user can be opened; `None` without one.
pub(crate) fn is_readable(app: &App, person: &User) -> Option<bool> {
    person.second_factor.as_ref().map(|sealed| open(app, person, sealed).is_ok())
}

fn open(app: &App, person: &User, sealed: &str) -> Result<Vec<u8>, Error> {
    app.sealer()?.open(&context(person), sealed).ok_or_else(|| {
        Error::Unavailable(
            "A second factor cannot be decrypted with the SECRET_KEY of this server. Set the key with which it \
             was encrypted."
                .to_owned(),
        )
    })
}

/// Whether the installation key opens the second factor of a user; `None` without one.
pub fn opens(sealer: &Sealer, person: &User) -> Option<bool> {
    person.second_factor.as_ref().map(|sealed| sealer.open(&context(person), sealed).is_some())
}

/// Verifies a code of a signed-in user. Failures are counted like those of sign-in.
pub(super) async fn reauthenticate(app: &App, person: &User, code: &str) -> Result<(), Error> {
    let bucket = format!("code:{}", person.id);
    let limit = AttemptLimit { bucket: bucket.clone(), max: MAX_FAILURES };
    let attempt = match attempts::reserve(app, vec![limit], WINDOW_S).await? {
        Ok(attempt) => attempt,
        Err(wait_s) => return Err(too_many_proofs(wait_s)),
    };
    match verify_code(app, person, code).await {
        Ok(true) => attempt.clear(app, &bucket).await,
        Ok(false) => {
            metrics::counter!("ba_copilot_sign_in_failures_total").increment(1);
            Err(Error::invalid("code", "The code is wrong or was already used. Enter the newest one."))
        }
        // Not verified, so not counted as a failure.
        Err(error) => {
            attempt.release(app).await?;
            Err(error)
        }
    }
}

/// Verifies a TOTP code or uses up a recovery code. Each is accepted once.
pub(super) async fn verify_code(app: &App, person: &User, code: &str) -> Result<bool, Error> {
    let Some(sealed) = &person.second_factor else { return Ok(true) };
    if let Some(code) = recovery_code::parse_code(code) {
        return recovery_code::consume_code(app, person, &code).await;
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

pub(super) fn unix_seconds(app: &App) -> u64 {
    u64::try_from(app.clock.now_us().as_micros() / 1_000_000).unwrap_or(0)
}
