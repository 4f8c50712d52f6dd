//! Encryption with a passphrase, in the format of age (<https://age-encryption.org/v1>): the program `age` opens these
//! files too.

use std::io::{self, BufRead, Read, Write};

use age::{DecryptError, Decryptor, Encryptor, scrypt, stream::StreamWriter};
use llm::SecretString;

/// The first bytes of an encrypted file.
pub(super) const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// 2^15 rounds of scrypt in 32 MiB, so that a small server can do it; passphrases are long here.
const WORK_FACTOR: u8 = 15;
/// Files that need more are refused, so that none uses more than 1 GiB of memory.
const MAX_WORK_FACTOR: u8 = 20;

/// Encrypts what is written; complete only after [`StreamWriter::finish`].
pub(super) fn encrypt<W: Write>(out: W, passphrase: &SecretString) -> io::Result<StreamWriter<W>> {
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(WORK_FACTOR);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
    encryptor.map_err(io::Error::other)?.wrap_output(out)
}

/// Decrypts what is read, and fails where anything was changed.
pub(super) fn decrypt<R: BufRead>(from: R, passphrase: &SecretString) -> Result<impl Read, DecryptError> {
    let mut identity = scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    Decryptor::new_buffered(from)?.decrypt(std::iter::once(&identity as &dyn age::Identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the payload.
    const CHUNK: usize = 64 * 1024;

    fn passphrase(text: &str) -> SecretString {
        text.into()
    }

    fn encrypted(contents: &[u8]) -> Vec<u8> {
        let mut writer = encrypt(Vec::new(), &passphrase("one and only")).expect("a writer");
        writer.write_all(contents).expect("written");
        writer.finish().expect("finished")
    }

    fn decrypted(file: &[u8], text: &str) -> Result<Vec<u8>, DecryptError> {
        let mut out = Vec::new();
        decrypt(file, &passphrase(text))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn decryption_returns_what_was_encrypted() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 77] {
            let contents: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let file = encrypted(&contents);
            assert!(file.starts_with(MAGIC));
            assert!(decrypted(&file, "one and only").is_ok_and(|opened| opened == contents), "{length}");
            let wrong = decrypted(&file, "another");
            assert!(matches!(wrong, Err(DecryptError::DecryptionFailed)), "{length}: {wrong:?}");
        }
    }

    /// Written by version 0.1.0, which had its own implementation of the format.
    #[test]
    fn files_of_earlier_versions_can_be_decrypted() {
        let file = include_bytes!("encrypted-by-0.1.0.age");
        assert_eq!(decrypted(file, "one and only").expect("decrypted"), b"contents of an earlier version\n");
    }

    #[test]
    fn changed_or_truncated_files_are_refused() {
        let file = encrypted(&vec![7; CHUNK + 10]);
        let header = file.windows(4).position(|it| it == b"--- ").expect("a header");
        for at in (0..header + 70).step_by(9).chain((header..file.len()).step_by(5003)) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(decrypted(&changed, "one and only").is_err(), "byte {at}");
        }
        for length in [file.len() - 1, file.len() - 26, file.len() - 27, header + 3, 10, 0] {
            assert!(decrypted(&file[..length], "one and only").is_err(), "{length} bytes");
        }
    }
}
