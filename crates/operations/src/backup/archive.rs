//! The file format of a backup: tar in zstd, then a skippable frame of zstd with the SHA-256 of everything before it;
//! all of it encrypted if there is a passphrase. Reads and writes streams: memory does not grow with the backup.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    encryption,
    error::Error,
    manifest::{self, Listed, Manifest},
};
use age::DecryptError;
use application::private_files;
use llm::SecretString;

/// The header of a skippable frame of 36 bytes.
const FRAME: [u8; 8] = [0x5a, 0x2a, 0x4d, 0x18, 36, 0, 0, 0];
const MARK: &[u8; 4] = b"BACO";
const TRAILER: usize = FRAME.len() + MARK.len() + 32;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The name of a backup in its staging folder, while it is created or verified.
pub(super) const DRAFT: &str = "archive";
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const BUFFER: usize = 64 * 1024;

fn trailer(hash: Sha256) -> Vec<u8> {
    [&FRAME[..], MARK, &hash.finalize()].concat()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the size and the checksum of a file.
pub(super) fn describe(folder: &Path, name: &str) -> Result<Listed, Error> {
    let path = folder.join(name);
    let problem = |error: io::Error| Error::file(&path, &error);
    let mut file = File::open(&path).map_err(problem)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size_bytes = 0;
    loop {
        match file.read(&mut buffer).map_err(problem)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                size_bytes += read as u64;
            }
        }
    }
    Ok(Listed { name: name.to_owned(), size_bytes, sha256: hex(&hash.finalize()) })
}

struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes the archive of the files in `folder`, syncs it to disk and returns its size. `path` must not exist.
pub(super) fn write(
    path: &Path,
    passphrase: Option<&SecretString>,
    manifest: &Manifest,
    folder: &Path,
) -> io::Result<u64> {
    let file = private_files::create_file(path)?;
    let out = BufWriter::new(file);
    let out = match passphrase {
        Some(passphrase) => {
            write_contents(encryption::encrypt(out, passphrase)?, manifest, folder)?.finish()?
        }
        None => write_contents(out, manifest, folder)?,
    };
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn write_contents<W: Write>(out: W, manifest: &Manifest, folder: &Path) -> io::Result<W> {
    let mut compressor = zstd::Encoder::new(Hashing { out, hash: Sha256::new() }, 0)?;
    compressor.include_checksum(true)?;
    let mut tar = tar::Builder::new(compressor);
    let header = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header
    };
    let bytes = serde_json::to_vec_pretty(manifest)?;
    tar.append_data(&mut header(bytes.len() as u64), manifest::NAME, bytes.as_slice())?;
    for listed in &manifest.files {
        let file = File::open(folder.join(&listed.name))?;
        tar.append_data(&mut header(listed.size_bytes), &listed.name, file.take(listed.size_bytes))?;
    }
    let Hashing { mut out, hash } = tar.into_inner()?.finish()?;
    out.write_all(&trailer(hash))?;
    Ok(out)
}

/// Withholds the trailer, and hashes everything before it.
struct TrailerReader<R> {
    from: R,
    held: Vec<u8>,
    at: usize,
    ended: bool,
    hash: Sha256,
}

impl<R: Read> TrailerReader<R> {
    fn new(from: R) -> Self {
        TrailerReader { from, held: Vec::new(), at: 0, ended: false, hash: Sha256::new() }
    }

    /// Whether the trailer matches; call it after the last byte was read.
    fn ends_intact(self) -> bool {
        self.ended && self.held[self.at..] == trailer(self.hash)
    }
}

impl<R: Read> Read for TrailerReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended && self.held.len() - self.at <= TRAILER {
            self.held.drain(..self.at);
            self.at = 0;
            let held = self.held.len();
            self.held.resize(held + BUFFER, 0);
            let read = self.from.read(&mut self.held[held..])?;
            self.held.truncate(held + read);
            self.ended = read == 0;
        }
        let free = (self.held.len() - self.at).saturating_sub(TRAILER).min(out.len());
        let passed = &self.held[self.at..self.at + free];
        out[..free].copy_from_slice(passed);
        self.hash.update(passed);
        self.at += free;
        Ok(free)
    }
}

/// Unpacks a backup into the folder `into`, and fails unless every checksum matches. Errors name it `name`.
pub(super) fn unpack(
    path: &Path,
    name: String,
    passphrase: Option<&SecretString>,
    into: &Path,
) -> Result<Manifest, Error> {
    let problem = |error: io::Error| Error::file(path, &error);
    let mut file = File::open(path).map_err(problem)?;
    let mut beginning = Vec::new();
    Read::by_ref(&mut file)
        .take(encryption::MAGIC.len() as u64)
        .read_to_end(&mut beginning)
        .map_err(problem)?;
    let file = BufReader::new(io::Cursor::new(beginning.clone()).chain(file));
    if beginning == encryption::MAGIC {
        let passphrase = passphrase.ok_or_else(|| Error::PassphraseNeeded(name.clone()))?;
        match encryption::decrypt(file, passphrase) {
            Ok(decrypted) => unpack_contents(&name, decrypted, into),
            Err(error) => Err(decryption_error(name, &error)),
        }
    } else if beginning.starts_with(&ZSTD) {
        unpack_contents(&name, file, into)
    } else {
        Err(Error::NotABackup(name))
    }
}

/// The words of the library are those of its command-line tool, so they are written here.
fn decryption_error(file: String, error: &DecryptError) -> Error {
    let reason = match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            return Error::WrongPassphrase(file);
        }
        DecryptError::Io(error) => return damaged(&file, error),
        DecryptError::NoMatchingKeys => "it is not encrypted with a passphrase",
        DecryptError::ExcessiveWork { .. } => "its passphrase needs more work than this program accepts",
        DecryptError::InvalidMac => "its header was changed",
        _ => "its header cannot be read",
    };
    Error::Damaged { file, reason: reason.to_owned() }
}

fn damaged(file: &str, error: &io::Error) -> Error {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is truncated".to_owned(),
        _ => error.to_string(),
    };
    Error::Damaged { file: file.to_owned(), reason }
}

fn unpack_contents(name: &str, from: impl Read, into: &Path) -> Result<Manifest, Error> {
    let broken = |error: io::Error| damaged(name, &error);
    let damage = |reason: String| Error::Damaged { file: name.to_owned(), reason };
    let decompressor = zstd::Decoder::new(TrailerReader::new(from)).map_err(broken)?;
    let mut tar = tar::Archive::new(decompressor);
    let mut manifest: Option<Manifest> = None;
    let mut seen: BTreeMap<String, Listed> = BTreeMap::new();
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let file = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(known) = &manifest else {
            let mut bytes = Vec::new();
            entry.by_ref().take(MAX_MANIFEST_BYTES).read_to_end(&mut bytes).map_err(broken)?;
            if file != manifest::NAME {
                return Err(Error::NotABackup(name.to_owned()));
            }
            manifest = Some(Manifest::parse(name, &bytes)?);
            continue;
        };
        let listed = known.files.iter().find(|listed| listed.name == file);
        // This program never writes a name with a folder, or the same name twice.
        let Some(listed) = listed.filter(|_| !file.contains(['/', '\\']) && !seen.contains_key(&file)) else {
            return Err(damage("it contains a file that its manifest does not list".to_owned()));
        };
        let size = entry.size();
        if size != listed.size_bytes {
            return Err(damage(format!("the size of {file} differs from its manifest")));
        }
        save(&mut entry, &into.join(&file), broken)?;
        seen.insert(file.clone(), describe(into, &file)?);
    }
    // The tar archive ends before the compressed stream; the checksum is that of the whole stream.
    let mut decompressor = tar.into_inner();
    io::copy(&mut decompressor, &mut io::sink()).map_err(broken)?;
    if !decompressor.finish().into_inner().ends_intact() {
        return Err(damage("its checksum does not match".to_owned()));
    }
    let manifest = manifest.ok_or_else(|| Error::NotABackup(name.to_owned()))?;
    let database = manifest.backend().map(manifest::database_name).unwrap_or_default();
    let listed = manifest.files.iter().map(|listed| listed.name.as_str());
    let missing = listed.chain([database]).find(|name| !seen.contains_key(*name));
    if let Some(missing) = missing {
        return Err(Error::Incomplete { file: name.to_owned(), missing: missing.to_owned() });
    }
    let changed = manifest.files.iter().find(|listed| seen.get(&listed.name) != Some(listed));
    if let Some(listed) = changed {
        return Err(damage(format!("the checksum of {} differs from its manifest", listed.name)));
    }
    Ok(manifest)
}

/// Copies to a file, and tells errors of the backup from errors of the disk.
fn save(from: &mut impl Read, path: &Path, broken: impl Fn(io::Error) -> Error) -> Result<(), Error> {
    let problem = |error: io::Error| Error::file(path, &error);
    let mut out = private_files::create_file(path).map_err(problem)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => out.write_all(&buffer[..read]).map_err(problem)?,
            Err(error) => return Err(broken(error)),
        }
    }
    out.sync_all().map_err(problem)
}
