//! Passwords: policy, hashing and verification.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use store::{AttemptLimit, User};

use crate::{
    Error,
    app::App,
    attempts::{self, MAX_FAILURES, WINDOW_S, too_many_proofs},
};

/// Verified against when there is no account or no password, so that the response takes as long. It has the
/// parameters of every other hash and matches no password.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm8gb25lIGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const MAX_CHARS: usize = 256;

/// Checks a new password against the policy.
pub(super) async fn check_new(app: &App, password: &SecretString, email: &str) -> Result<(), Error> {
    let text = password.expose_secret();
    let least = app.config.accounts.min_password_chars;
    let chars = text.chars().count();
    if chars < least || chars > MAX_CHARS {
        return Err(Error::invalid(
            "password",
            format!(
                "A password must have {least} to {MAX_CHARS} characters; this one has {chars}. Use a sentence, \
                 which is easy to remember."
            ),
        ));
    }
    let first = text.chars().next();
    if text.eq_ignore_ascii_case(email) || text.chars().all(|c| Some(c) == first) {
        return Err(Error::invalid("password", "This password is too easy to guess. Choose another one."));
    }
    let list = app.config.accounts.breached_passwords.clone();
    if list.is_empty() {
        return Ok(());
    }
    let digest: String = Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
    let found = tokio::task::spawn_blocking(move || is_listed(Path::new(&list), &digest))
        .await
        .map_err(|_| Error::Internal("looking for a breached password failed".to_owned()))?
        .map_err(|error| {
            Error::Unavailable(format!(
                "The list of breached passwords (accounts.breached_passwords) cannot be read: {error}."
            ))
        })?;
    if found {
        return Err(Error::invalid(
            "password",
            "This password is in a list of breached passwords. Choose another one.",
        ));
    }
    Ok(())
}

/// Finds a SHA-1 in a sorted file in the format of Have I Been Pwned (upper-case hex at the start of each line).
fn is_listed(path: &Path, digest: &str) -> std::io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut low, mut high) = (0, file.get_ref().metadata()?.len());
    // Binary search over byte offsets [low, high), from the middle to the next line start.
    while low < high {
        let middle = low + (high - low) / 2;
        file.seek(SeekFrom::Start(middle.saturating_sub(1)))?;
        if middle > 0 {
            skip_line(&mut file)?;
        }
        let mut line = String::new();
        let begins = file.stream_position()?;
        let read = file.by_ref().take(MAX_LINE).read_line(&mut line)? as u64;
        let head = line.get(..digest.len()).unwrap_or(&line);
        match head.cmp(digest) {
            _ if read == 0 || begins >= high => high = middle,
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = begins + read,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// No line of such a list is longer.
const MAX_LINE: u64 = 256;

fn skip_line(file: &mut BufReader<File>) -> std::io::Result<()> {
    let mut skipped = Vec::new();
    file.by_ref().take(MAX_LINE).read_until(b'\n', &mut skipped)?;
    Ok(())
}

pub(super) async fn hash(app: &App, password: &SecretString) -> Result<String, Error> {
    let password = password.clone();
    let hash = move || {
        let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| Error::Internal("a password was not hashed".to_owned()))
    };
    app.hashing.run(hash).await?
}

/// Verifies a password. Takes as long without a hash, so that the timing does not disclose whether an account exists.
pub(super) async fn verify(app: &App, password: &SecretString, hash: Option<&str>) -> Result<bool, Error> {
    let password = password.clone();
    let hash = hash.map(str::to_owned);
    let compare = move || {
        let known = hash.is_some();
        let hash = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY_HASH))
            .map_err(|_| Error::Internal("the hash of a password cannot be read".to_owned()))?;
        let same = Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
        Ok(same && known)
    };
    app.hashing.run(compare).await?
}

/// Verifies the password of a signed-in user before an irreversible change. Failures are counted like those of
/// sign-in, so that a session cannot be used to guess the password.
pub(super) async fn reauthenticate(app: &App, person: &User, password: &SecretString) -> Result<(), Error> {
    let bucket = format!("password:{}", person.id);
    let limit = AttemptLimit { bucket: bucket.clone(), max: MAX_FAILURES };
    let attempt = match attempts::reserve(app, vec![limit], WINDOW_S).await? {
        Ok(attempt) => attempt,
        Err(wait_s) => return Err(too_many_proofs(wait_s)),
    };
    match verify(app, password, person.password_hash.as_deref()).await {
        Ok(true) => attempt.clear(app, &bucket).await,
        Ok(false) => {
            metrics::counter!("ba_copilot_sign_in_failures_total").increment(1);
            Err(Error::invalid(
                "password",
                match person.password_hash {
                    Some(_) => "The password is wrong. Enter your current password.",
                    None => {
                        "Your account has no password, because you use single sign-on. Request a link to choose \
                         one at /forgot-password."
                    }
                },
            ))
        }
        // Not verified, so not counted as a failure.
        Err(error) => {
            attempt.release(app).await?;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::clock::Clock;
    use config::{Config, Environment};

    #[test]
    fn breached_password_is_found_at_any_position() {
        let mut hashes: Vec<String> = (0..500)
            .map(|n| Sha1::digest(format!("{n}")).iter().map(|b| format!("{b:02X}")).collect())
            .collect();
        hashes.sort();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for (n, hash) in hashes.iter().enumerate() {
            write!(file, "{hash}:{}{}", n * n * 17, if n % 2 == 0 { "\r\n" } else { "\n" }).unwrap();
        }
        for hash in &hashes {
            assert!(is_listed(file.path(), hash).unwrap(), "{hash}");
        }
        for n in 500..900 {
            let other: String = Sha1::digest(format!("{n}")).iter().map(|b| format!("{b:02X}")).collect();
            assert!(!is_listed(file.path(), &other).unwrap());
        }
        assert!(!is_listed(tempfile::NamedTempFile::new().unwrap().path(), &hashes[0]).unwrap());
        assert!(is_listed(Path::new("/nonexistent"), &hashes[0]).is_err());
    }

    #[tokio::test]
    async fn only_the_same_password_verifies() {
        let app = {
            let config = Config::load(None, &Environment::from_pairs([])).unwrap();
            App::stateless(config, Clock::system()).unwrap()
        };
        let verify = async |password: &SecretString, hash| verify(&app, password, hash).await;
        let right = SecretString::from("correct horse battery staple");
        let stored = hash(&app, &right).await.unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&stored), ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!(
            (parameters(DUMMY_HASH), DUMMY_HASH.len()),
            (parameters(&stored), stored.len()),
            "as slow as any other"
        );
        assert!(verify(&right, Some(&stored)).await.unwrap());
        assert!(!verify(&SecretString::from("Correct horse battery staple"), Some(&stored)).await.unwrap());
        assert!(!verify(&right, None).await.unwrap(), "no password is no password");
        let begun = app.hashing.begun();
        assert!(!verify(&right, Some(DUMMY_HASH)).await.unwrap());
        assert_eq!(app.hashing.begun(), begun + 1);
        assert!(verify(&right, Some("not a hash")).await.is_err());
    }
}
