//! Generation, hashing and encryption of secrets.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::Error;
use crate::private_files;
use config::{Config, comma_separated};

/// 32 random bytes in base64 (43 characters).
pub fn new_secret() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// Stored hash of a secret. A random secret of 32 bytes needs no salt and no slow hash.
pub fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// Hash of several texts, unambiguous about their boundaries.
pub(super) fn hash_all(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gave no randomness".to_owned()))?;
    Ok(bytes)
}

/// Encrypts stored secrets. The context is authenticated, so a ciphertext cannot be moved to another row.
#[derive(Clone)]
pub struct Sealer(Arc<Vec<LessSafeKey>>);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Keys from a comma-separated list of secrets: the first encrypts, all of them decrypt.
    pub fn new(secrets: &str) -> Result<Self, Error> {
        let keys: Result<Vec<LessSafeKey>, Error> = comma_separated(secrets)
            .map(|secret| {
                // Domain separation from other uses of the secret.
                let key =
                    Sha256::new().chain_update(b"ba-copilot sealing key\0").chain_update(secret).finalize();
                aead_key(&key)
            })
            .collect();
        Ok(Sealer(Arc::new(keys?)))
    }

    /// The key of the configuration, or one that is generated in the data folder.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        match config.secrets.secret_key.expose_secret() {
            "" => Self::new(&load_or_create_key(&config.data.dir)?),
            secret => Self::new(secret),
        }
    }

    pub(super) fn from_key(key: &[u8]) -> Result<Self, Error> {
        Ok(Sealer(Arc::new(vec![aead_key(key)?])))
    }

    /// Returns nonce and ciphertext.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<String, Error> {
        let nonce = random::<NONCE_LEN>()?;
        let mut bytes = plain.to_vec();
        let key = self.0.first().ok_or_else(|| Error::Internal("there is no key to seal with".to_owned()))?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
            .map_err(|_| Error::Internal("a secret could not be sealed".to_owned()))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// `None` for another key, another context or a changed ciphertext.
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let plain = key.open_in_place(nonce, Aad::from(context), &mut sealed).ok()?;
            Some(plain.to_vec())
        })
    }
}

/// Derives names for data in Redis from SECRET_KEY, so that a reader of Redis cannot find out what a name stands for,
/// not even by guessing.
pub(super) struct Namer(hmac::Key);

impl Namer {
    pub(super) fn new(config: &Config, purpose: &str) -> Self {
        let key = config.shared_key(&format!("ba-copilot names of {purpose}")).unwrap_or_default();
        Namer(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The name of these parts, unambiguous about their boundaries.
    pub(super) fn name(&self, parts: &[&str]) -> String {
        let mut signing = hmac::Context::with_key(&self.0);
        for part in parts {
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(signing.sign())
    }
}

fn aead_key(key: &[u8]) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&AES_256_GCM, key)
        .map_err(|_| Error::Internal("a sealing key has the wrong length".to_owned()))?;
    Ok(LessSafeKey::new(key))
}

/// The key file in the data folder. Of several processes that start at once, one creates it.
fn load_or_create_key(folder: &Path) -> Result<String, Error> {
    let path = folder.join("secret.key");
    let problem = |error: std::io::Error| {
        Error::Unavailable(format!(
            "{} cannot be used: {error}. Check its permissions, or set SECRET_KEY instead.",
            path.display()
        ))
    };
    private_files::create_folder(folder).map_err(problem)?;
    // Written to a temporary file first, so that no process reads a partial key.
    let draft = folder.join(format!("secret.key.{}", new_secret()?));
    if !path.exists() {
        let mut file = private_files::create_file(&draft).map_err(problem)?;
        let written = file.write_all(new_secret()?.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| match fs::hard_link(&draft, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
        let removed = fs::remove_file(&draft);
        linked.and(removed).map_err(problem)?;
    }
    let key = fs::read_to_string(&path).map_err(problem)?;
    if key.trim().len() < 32 {
        return Err(Error::Unavailable(format!(
            "{} is too short to be a key. Restore it from a backup; without it, encrypted values cannot be read.",
            path.display()
        )));
    }
    Ok(key.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphertext_opens_only_with_its_key_and_context() {
        let sealer = Sealer::new("one").unwrap();
        let sealed = sealer.seal("user:1", b"words").unwrap();
        assert_eq!(sealer.open("user:1", &sealed).as_deref(), Some(&b"words"[..]));
        assert_eq!(sealer.open("user:2", &sealed), None);
        assert_eq!(Sealer::new("two").unwrap().open("user:1", &sealed), None);
        assert_eq!(Sealer::new("two, one").unwrap().open("user:1", &sealed).as_deref(), Some(&b"words"[..]));
        assert_ne!(sealer.seal("user:1", b"words").unwrap(), sealed, "a nonce is used once");
        for broken in ["", "A", "AAAA", &sealed[1..], &format!("{sealed}A")] {
            assert_eq!(sealer.open("user:1", broken), None, "{broken}");
        }
    }

    #[test]
    fn key_file_is_created_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| load_or_create_key(folder.path()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 43), "{}", keys.len());
        let path = folder.path().join("secret.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(&path, "short").unwrap();
        assert!(load_or_create_key(folder.path()).unwrap_err().to_string().contains("backup"));
    }

    #[test]
    fn secrets_and_their_hashes_are_unique() {
        let (one, two) = (new_secret().unwrap(), new_secret().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, two);
        assert_ne!(hash(&one), hash(&two));
    }
}
