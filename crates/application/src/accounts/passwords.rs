//! Passwords: what is good enough, how they are kept, how they are compared.

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

use super::attempts::{self, MAX_FAILURES, WINDOW_S, too_many_proofs};
use crate::{Error, app::App};

/// Compared with when there is no account or no password, so that the answer takes as long. It has the parameters of every other
/// hash here, and what it is the hash of does not matter: it never fits.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm8gb25lIGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const MAX_CHARS: usize = 256;

/// Whether a password is good enough to be chosen.
///
/// # Errors
/// Says what is wrong with it.
pub(super) async fn check_new(app: &App, password: &SecretString, email: &str) -> Result<(), Error> {
    let text = password.expose_secret();
    let least = app.config.accounts.min_password_chars;
    let chars = text.chars().count();
    if chars < least || chars > MAX_CHARS {
        return Err(Error::invalid(
            "password",
            format!(
                "A password has {least} to {MAX_CHARS} characters; this one has {chars}. A sentence is easy to remember."
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
            "This password is in a list of passwords that became known elsewhere. Choose another one.",
        ));
    }
    Ok(())
}

/// Looks a SHA-1 up in a file of lines that begin with one, in capitals and sorted, as Have I Been Pwned gives out.
fn is_listed(path: &Path, digest: &str) -> std::io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut low, mut high) = (0, file.get_ref().metadata()?.len());
    // What is looked for begins in [low, high). Steps to the middle, then to the next beginning of a line.
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

/// Longer lines are in no such list.
const MAX_LINE: u64 = 256;

fn skip_line(file: &mut BufReader<File>) -> std::io::Result<()> {
    let mut skipped = Vec::new();
    file.by_ref().take(MAX_LINE).read_until(b'\n', &mut skipped)?;
    Ok(())
}

/// What is kept of a password.
///
/// # Errors
/// When hashing fails, which is a fault of ours.
pub(super) async fn hash(app: &App, password: &SecretString) -> Result<String, Error> {
    let password = password.clone();
    let hash = move || {
        let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| Error::Internal("a password was not hashed".to_owned()))
    };
    app.hashing.run(hash).await?
}

/// Whether the password is the one of the hash. Takes as long when there is no hash.
///
/// # Errors
/// When the hash is none.
pub(super) async fn verify(app: &App, password: &SecretString, hash: Option<&str>) -> Result<bool, Error> {
    let password = password.clone();
    let hash = hash.map(str::to_owned);
    let compare = move || {
        let known = hash.is_some();
        let hash = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY))
            .map_err(|_| Error::Internal("the hash of a password cannot be read".to_owned()))?;
        let same = Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
        Ok(same && known)
    };
    app.hashing.run(compare).await?
}

/// Whether it is the password of a user who is signed in, and is about to do what cannot be undone. Failures are counted as those
/// of signing in are: a session must not be enough to find the password by trying.
///
/// # Errors
/// When it is not, or there were too many failures.
pub(super) async fn prove(app: &App, person: &User, password: &SecretString) -> Result<(), Error> {
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
                    Some(_) => "This is not your password.",
                    None => {
                        "You have no password here, because you sign in elsewhere. Ask for a link to choose one at /forgot-password."
                    }
                },
            ))
        }
        // It was not compared.
        Err(error) => {
            attempt.give_back(app).await?;
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
    fn a_listed_password_is_found_wherever_it_is() {
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
    async fn only_the_same_password_fits() {
        let app = {
            let config = Config::load(None, &Environment::from_pairs([])).unwrap();
            App::stateless(config, Clock::system()).unwrap()
        };
        let verify = async |password: &SecretString, hash| verify(&app, password, hash).await;
        let right = SecretString::from("correct horse battery staple");
        let kept = hash(&app, &right).await.unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&kept), ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!((parameters(DUMMY), DUMMY.len()), (parameters(&kept), kept.len()), "as slow as any other");
        assert!(verify(&right, Some(&kept)).await.unwrap());
        assert!(!verify(&SecretString::from("Correct horse battery staple"), Some(&kept)).await.unwrap());
        assert!(!verify(&right, None).await.unwrap(), "no password is no password");
        let begun = app.hashing.begun();
        assert!(!verify(&right, Some(DUMMY)).await.unwrap());
        assert_eq!(app.hashing.begun(), begun + 1);
        assert!(verify(&right, Some("not a hash")).await.is_err());
    }
}
