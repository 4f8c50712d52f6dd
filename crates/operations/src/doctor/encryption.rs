//! The encryption key, and the values encrypted with it. Outcomes contain counts, never a character of a key.

use std::{collections::BTreeSet, fs};

use secrecy::ExposeSecret;

use super::{
    configuration::accessible_to_others,
    context::{CheckContext, key_file, words},
};
use crate::diagnostics::{CheckResult, Fix, Outcome};
use application::encryption;

/// A random key has at least so many different characters.
const MIN_DISTINCT_CHARS: usize = 12;

pub(super) async fn secret_key(context: &CheckContext) -> CheckResult {
    let config = &context.app()?.config;
    let keys = words(&config.secrets.secret_key);
    let cure = "Generate one with `ba-copilot secrets generate`. Set SECRET_KEY=new,old, run `ba-copilot secrets \
                rotate`, then set SECRET_KEY=new.";
    if keys.is_empty() {
        let alone = config.sqlite_file().is_some() && config.redis.url.expose_secret().is_empty();
        return Ok(match alone {
            true => Outcome::ok("not set; secret.key in the data folder is used"),
            false => Outcome::warning(
                "not set, and other processes can share the database or Redis",
                "Set SECRET_KEY of every process to the contents of secret.key, or to a new key from `ba-copilot \
                 secrets generate` if there is no such file.",
            ),
        });
    }
    let weak = keys.iter().any(|key| key.chars().collect::<BTreeSet<_>>().len() < MIN_DISTINCT_CHARS);
    Ok(match weak {
        true => Outcome::failed("it has too few different characters to be random", cure),
        false if keys.len() > 1 => Outcome::warning(
            format!("{} keys are set: a rotation is not complete", keys.len()),
            "Run `ba-copilot secrets rotate`, then keep only the first key.",
        ),
        false => Outcome::ok("it is set"),
    })
}

pub(super) async fn secret_key_file(context: &CheckContext) -> CheckResult {
    let config = &context.app()?.config;
    let Some(file) = key_file(config) else { return Ok(Outcome::skipped("SECRET_KEY is set")) };
    if context.writable.is_err() {
        return Ok(Outcome::skipped("the data folder is not writable"));
    }
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Outcome::skipped("there is none yet; the first start creates it"));
        }
        Err(error) => {
            return Ok(Outcome::failed(
                format!("{} cannot be read: {error}", file.display()),
                "Run this as the user of the server, and check that the file belongs to that user.",
            ));
        }
    };
    if text.trim().len() < 32 {
        return Ok(Outcome::failed(
            format!("{} is too short for a key", file.display()),
            "Restore it from a backup. Values that it encrypted cannot be read without it.",
        ));
    }
    Ok(match accessible_to_others(std::slice::from_ref(&file)).is_empty() {
        true => Outcome::ok("valid, and other users have no access"),
        false => Outcome::failed(
            format!("other users can read {}", file.display()),
            format!("chmod 600 {}, and rotate the key if it may have been read.", file.display()),
        )
        .with_fix(Fix::RestrictAccess(vec![file])),
    })
}

pub(super) async fn opens(context: &CheckContext) -> CheckResult {
    let (app, _) = context.current()?;
    Ok(match encryption::find_sealed(app).await {
        Ok(sealed) if sealed.unreadable == 0 => {
            Outcome::ok(format!("{} values were decrypted", sealed.count))
        }
        Ok(sealed) => Outcome::failed(
            format!(
                "{} of {} encrypted values cannot be decrypted with the current key",
                sealed.unreadable, sealed.count
            ),
            "Add the key that they were encrypted with (SECRET_KEY=new,old), or restore secret.key from a backup.",
        ),
        Err(error) => Outcome::skipped(error.to_string()),
    })
}
