//! Time-based one-time passwords (RFC 6238) of the second factor: verified once each, sealed at rest.

use store::{AttemptLimit, User};
use totp_rs::{Builder, Secret, Totp};

use super::{
    attempts::{self, MAX_FAILURES, WINDOW_S, too_many_proofs},
    recovery_code,
};
use crate::{Error, access::store, app::App, secrets::Sealer};

pub(super) fn totp(person: &User, secret: Secret) -> Result<Totp, Error> {
    // A colon would end the name in the link.
    let account = person.email.replace(':', "");
    Builder::new()
        .with_secret(secret)
        .with_account_name(account)
        .with_issuer(Some("BA Copilot"))
        .build()
        .map_err(|_| no_secret())
}

pub(super) fn no_secret() -> Error {
    Error::invalid("secret", "This is not a secret that this server made. Begin again.")
}

pub(super) fn context(person: &User) -> String {
    format!("second factor of {}", person.id)
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
    if let Some(code) = recovery_code::read(code) {
        return recovery_code::use_up(app, person, &code).await;
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
