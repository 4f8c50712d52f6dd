//! The key that seals, and what it sealed. Tells lengths and counts, never a character of a key.

use std::{collections::BTreeSet, fs};

use secrecy::ExposeSecret;

use super::{
    Bench, Fix, Outcome,
    configuration::open_to_others,
    context::{key_file, words},
};
use application::encryption;

/// A text made at random has more different characters than this.
const LEAST_DIFFERENT: usize = 12;

pub(super) async fn secret_key(bench: &Bench) -> Outcome {
    let config = match bench.app() {
        Ok(app) => &app.config,
        Err(outcome) => return outcome,
    };
    let keys = words(&config.secrets.secret_key);
    let cure = "`ba-copilot secrets generate` makes one. Set SECRET_KEY=new,old, run `ba-copilot secrets rotate`, then SECRET_KEY=new.";
    if keys.is_empty() {
        let alone = config.sqlite_file().is_some() && config.redis.url.expose_secret().is_empty();
        return match alone {
            true => Outcome::ok("not set; secret.key in the data folder is used"),
            false => Outcome::warning(
                "not set, and other processes may share the database or the Redis",
                "Take the key in secret.key, if it is there, as SECRET_KEY of every process; else make one with `ba-copilot secrets generate`.",
            ),
        };
    }
    let weak = keys.iter().any(|key| key.chars().collect::<BTreeSet<_>>().len() < LEAST_DIFFERENT);
    match weak {
        true => Outcome::problem("it has too few different characters to be made at random", cure),
        false if keys.len() > 1 => Outcome::warning(
            format!("{} keys are set, as while one replaces another", keys.len()),
            "Run `ba-copilot secrets rotate`, then leave only the first.",
        ),
        false => Outcome::ok("it is set"),
    }
}

pub(super) async fn secret_key_file(bench: &Bench) -> Outcome {
    let config = match bench.app() {
        Ok(app) => &app.config,
        Err(outcome) => return outcome,
    };
    let Some(file) = key_file(config) else { return Outcome::skipped("SECRET_KEY is set") };
    if bench.writable.is_err() {
        return Outcome::skipped("the data folder cannot be used");
    }
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Outcome::skipped("there is none yet; the first start makes it");
        }
        Err(error) => {
            return Outcome::problem(
                format!("{} cannot be read: {error}", file.display()),
                "Run this as the user that the server runs as, and see that the file belongs to it.",
            );
        }
    };
    if text.trim().len() < 32 {
        return Outcome::problem(
            format!("{} is too short to be a key", file.display()),
            "Restore it from a backup; without it, what it sealed cannot be read.",
        );
    }
    match open_to_others(std::slice::from_ref(&file)).is_empty() {
        true => Outcome::ok("it is whole, and others have no access"),
        false => Outcome::problem(
            format!("others may read {}", file.display()),
            format!("chmod 600 {}, and replace the key if others may have read it.", file.display()),
        )
        .mended_by(Fix::Rights(vec![file])),
    }
}

pub(super) async fn opens(bench: &Bench) -> Outcome {
    let app = match bench.current() {
        Ok((app, _)) => app,
        Err(outcome) => return outcome,
    };
    match encryption::find_sealed(app).await {
        Ok(sealed) if sealed.unreadable == 0 => {
            Outcome::ok(format!("{} sealed things were opened", sealed.count))
        }
        Ok(sealed) => Outcome::problem(
            format!(
                "{} of {} sealed things cannot be opened with the key at hand",
                sealed.unreadable, sealed.count
            ),
            "Set the SECRET_KEY that they were sealed with (behind the new one: SECRET_KEY=new,old), or restore secret.key from a backup.",
        ),
        Err(error) => Outcome::skipped(error.to_string()),
    }
}
