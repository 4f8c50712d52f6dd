//! Encryption with a passphrase, in the format of age (<https://age-encryption.org/v1>), so that the program of that name opens what
//! this one wrote, and the other way round. Only passphrases; never keys of recipients.
//!
//! The crate `age` brings its own translations, and more crates than the rest of a backup; what is needed of the format is this page,
//! over ring's ChaCha20-Poly1305 and HKDF.

use std::io::{self, BufRead, Error, ErrorKind, Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
    hmac,
    rand::{SecureRandom, SystemRandom},
};

/// How a file of this format begins.
pub(super) const BEGINNING: &[u8] = b"age-encryption.org/v1\n";
const SCRYPT: &str = "age-encryption.org/v1/scrypt";
/// Bytes of contents that are sealed together.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// Work to make a key of a passphrase: 2^15 rounds in 32 MiB, so that a small server can do it; passphrases are long here.
const WORK: u8 = 15;
/// More is refused when reading, so that no file takes all memory: 1 GiB.
const MOST_WORK: u8 = 20;
/// Longest line of the header.
const LINE: u64 = 1024;

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why.to_owned())
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::other("the system gave no randomness"))?;
    Ok(bytes)
}

/// The key that wraps the key of the file.
fn wrapping_key(passphrase: &str, salt: &[u8], work: u8) -> io::Result<LessSafeKey> {
    let params =
        scrypt::Params::new(work, 8, 1).map_err(|_| broken("its work factor is no number of rounds"))?;
    let salt = [SCRYPT.as_bytes(), salt].concat();
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.as_bytes(), &salt, &params, &mut key)
        .map_err(|_| Error::other("a key has no such length"))?;
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Error::other("a key has no such length"))?;
    Ok(LessSafeKey::new(key))
}

fn derive(salt: &[u8], file_key: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, salt).extract(file_key)
}

/// What proves that the header belongs to the key.
fn header_key(file_key: &[u8]) -> io::Result<hmac::Key> {
    let prk = derive(&[], file_key);
    let key =
        prk.expand(&[b"header"], hmac::HMAC_SHA256).map_err(|_| Error::other("a key has no such length"))?;
    Ok(hmac::Key::from(key))
}

fn contents_key(file_key: &[u8], nonce: &[u8]) -> io::Result<LessSafeKey> {
    let prk = derive(nonce, file_key);
    let key = prk
        .expand(&[b"payload"], &CHACHA20_POLY1305)
        .map_err(|_| Error::other("a key has no such length"))?;
    Ok(LessSafeKey::new(UnboundKey::from(key)))
}

/// Each chunk has its number in its nonce, and the last one says that it is: none can be moved, left out or cut off.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Encrypts what is written into it. Not whole before [`Writer::finish`].
pub(super) struct Writer<W> {
    out: W,
    key: LessSafeKey,
    number: u64,
    chunk: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W, passphrase: &str) -> io::Result<Self> {
        let (file_key, salt, start) = (random::<16>()?, random::<16>()?, random::<16>()?);
        let mut wrapped = file_key.to_vec();
        wrapping_key(passphrase, &salt, WORK)?
            .seal_in_place_append_tag(nonce(0, false), Aad::empty(), &mut wrapped)
            .map_err(|_| Error::other("a key could not be sealed"))?;
        let header = format!(
            "{}-> scrypt {} {WORK}\n{}\n---",
            String::from_utf8_lossy(BEGINNING),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(&wrapped)
        );
        let proof = hmac::sign(&header_key(&file_key)?, header.as_bytes());
        out.write_all(format!("{header} {}\n", STANDARD_NO_PAD.encode(proof)).as_bytes())?;
        out.write_all(&start)?;
        Ok(Writer {
            out,
            key: contents_key(&file_key, &start)?,
            number: 0,
            chunk: Vec::with_capacity(CHUNK + TAG),
        })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        self.key
            .seal_in_place_append_tag(nonce(self.number, last), Aad::empty(), &mut self.chunk)
            .map_err(|_| Error::other("contents could not be sealed"))?;
        self.out.write_all(&self.chunk)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }

    /// Seals the rest, and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until it is known not to be the last.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decrypts what is read through it; fails where anything was changed.
pub(super) struct Reader<R> {
    from: R,
    key: LessSafeKey,
    number: u64,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

/// Why nothing can be read.
pub(super) enum Refused {
    /// Not with this passphrase.
    WrongPassphrase,
    /// It cannot be read, or is not as it was written.
    Broken(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Broken(error)
    }
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(mut from: R, passphrase: &str) -> Result<Self, Refused> {
        let mut header = String::new();
        let mut line = |header: &mut String| -> io::Result<String> {
            let begins = header.len();
            from.by_ref().take(LINE).read_line(header)?;
            header[begins..]
                .strip_suffix('\n')
                .map(str::to_owned)
                .ok_or_else(|| broken("its header breaks off"))
        };
        line(&mut header)?;
        let stanza = line(&mut header)?;
        let mut words = stanza.strip_prefix("-> scrypt ").unwrap_or_default().split(' ');
        let (Some(salt), Some(work), None) = (words.next(), words.next(), words.next()) else {
            return Err(broken("it is not encrypted with a passphrase").into());
        };
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| broken("its header is not readable"))?;
        let work: u8 = work.parse().map_err(|_| broken("its header is not readable"))?;
        if !(1..=MOST_WORK).contains(&work) {
            return Err(broken("its passphrase takes more work than this program does").into());
        }
        let wrapped = line(&mut header)?;
        let mut wrapped =
            STANDARD_NO_PAD.decode(wrapped).map_err(|_| broken("its header is not readable"))?;
        let file_key = wrapping_key(passphrase, &salt, work)?
            .open_in_place(nonce(0, false), Aad::empty(), &mut wrapped)
            .map_err(|_| Refused::WrongPassphrase)?
            .to_vec();
        let before = header.len();
        let proof = line(&mut header)?;
        let proof = proof.strip_prefix("--- ").and_then(|proof| STANDARD_NO_PAD.decode(proof).ok());
        let signed = &header.as_bytes()[..before + 3];
        if !proof.is_some_and(|proof| {
            header_key(&file_key).is_ok_and(|key| hmac::verify(&key, signed, &proof).is_ok())
        }) {
            return Err(broken("its header was changed").into());
        }
        let mut start = [0; 16];
        from.read_exact(&mut start)?;
        let key = contents_key(&file_key, &start)?;
        Ok(Reader { from, key, number: 0, chunk: Vec::new(), at: 0, ended: false })
    }

    fn open(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.at = 0;
        self.from.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut self.chunk)?;
        let last = self.from.fill_buf()?.is_empty();
        let opened = self
            .key
            .open_in_place(nonce(self.number, last), Aad::empty(), &mut self.chunk)
            .map_err(|_| broken("its contents were changed, or break off"))?
            .len();
        self.chunk.truncate(opened);
        self.number += 1;
        self.ended = last;
        Ok(())
    }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.ended {
            self.open()?;
        }
        let taken = out.len().min(self.chunk.len() - self.at);
        out[..taken].copy_from_slice(&self.chunk[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(contents: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), "one and only").unwrap();
        writer.write_all(contents).unwrap();
        writer.finish().unwrap()
    }

    fn open(sealed: &[u8], passphrase: &str) -> Result<Vec<u8>, Refused> {
        let mut out = Vec::new();
        Reader::new(sealed, passphrase)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_is_sealed_comes_back() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 77] {
            let contents: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let sealed = seal(&contents);
            assert!(open(&sealed, "one and only").is_ok_and(|opened| opened == contents), "{length}");
            assert!(matches!(open(&sealed, "another"), Err(Refused::WrongPassphrase)), "{length}");
        }
    }

    #[test]
    fn nothing_can_be_changed_or_cut_off() {
        let sealed = seal(&vec![7; CHUNK + 10]);
        let header = sealed.windows(4).position(|it| it == b"--- ").unwrap();
        for at in (0..header + 70).step_by(9).chain((header..sealed.len()).step_by(5003)) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, "one and only").is_err(), "byte {at}");
        }
        for length in [sealed.len() - 1, sealed.len() - 26, sealed.len() - 27, header + 3, 10, 0] {
            assert!(open(&sealed[..length], "one and only").is_err(), "{length} bytes");
        }
    }
}
