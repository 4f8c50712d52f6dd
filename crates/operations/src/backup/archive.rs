//! The file of a backup: tar in zstd, then a frame that every zstd skips and that holds the SHA-256 of all before it; the whole in age
//! where there is a passphrase. Writes and reads as it goes: memory does not grow with the backup.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    Error, age,
    manifest::{self, Listed, Manifest},
};
use application::private_files;

/// How a frame that zstd skips begins, and that 36 bytes follow.
const FRAME: [u8; 8] = [0x5a, 0x2a, 0x4d, 0x18, 36, 0, 0, 0];
const MARK: &[u8; 4] = b"BACO";
const TRAILER: usize = FRAME.len() + MARK.len() + 32;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The name of a backup that is being made, or was fetched, in the folder in which it is worked on.
pub(super) const DRAFT: &str = "archive";
/// No manifest is larger.
const MAX_MANIFEST: u64 = 1 << 20;
const BUFFER: usize = 64 * 1024;

fn trailer(hash: Sha256) -> Vec<u8> {
    [&FRAME[..], MARK, &hash.finalize()].concat()
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a file is, by name, size and checksum.
pub(super) fn list(folder: &Path, name: &str) -> Result<Listed, Error> {
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

/// Hashes what goes through it.
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

/// Writes the archive of what lies in `folder`, and returns its size when it is on disk. `path` must be new.
pub(super) fn write(
    path: &Path,
    passphrase: Option<&str>,
    manifest: &Manifest,
    folder: &Path,
) -> io::Result<u64> {
    let file = private_files::create_file(path)?;
    let out = BufWriter::new(file);
    let out = match passphrase {
        Some(passphrase) => {
            let sealed = write_contents(age::Writer::new(out, passphrase)?, manifest, folder)?;
            sealed.finish()?
        }
        None => write_contents(out, manifest, folder)?,
    };
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn write_contents<W: Write>(out: W, manifest: &Manifest, folder: &Path) -> io::Result<W> {
    let mut packer = zstd::Encoder::new(Hashing { out, hash: Sha256::new() }, 0)?;
    packer.include_checksum(true)?;
    let mut tar = tar::Builder::new(packer);
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

/// Holds back what may be the trailer, and hashes the rest.
struct Checking<R> {
    from: R,
    held: Vec<u8>,
    at: usize,
    ended: bool,
    hash: Sha256,
}

impl<R: Read> Checking<R> {
    fn new(from: R) -> Self {
        Checking { from, held: Vec::new(), at: 0, ended: false, hash: Sha256::new() }
    }

    /// After the last byte was read: whether all is as it was written.
    fn ends_whole(self) -> bool {
        self.ended && self.held[self.at..] == trailer(self.hash)
    }
}

impl<R: Read> Read for Checking<R> {
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

/// Reads a whole backup into the folder `into`, and believes nothing before every checksum was right. Errors call it `name`.
pub(super) fn unpack(
    path: &Path,
    name: String,
    passphrase: Option<&str>,
    into: &Path,
) -> Result<Manifest, Error> {
    let problem = |error: io::Error| Error::file(path, &error);
    let mut file = File::open(path).map_err(problem)?;
    let mut beginning = Vec::new();
    Read::by_ref(&mut file).take(age::BEGINNING.len() as u64).read_to_end(&mut beginning).map_err(problem)?;
    let file = BufReader::new(io::Cursor::new(beginning.clone()).chain(file));
    if beginning == age::BEGINNING {
        let passphrase = passphrase.ok_or_else(|| Error::PassphraseNeeded(name.clone()))?;
        match age::Reader::new(file, passphrase) {
            Ok(opened) => unpack_contents(&name, opened, into),
            Err(age::Refused::WrongPassphrase) => Err(Error::WrongPassphrase(name)),
            Err(age::Refused::Broken(error)) => Err(damaged(&name, &error)),
        }
    } else if beginning.starts_with(&ZSTD) {
        unpack_contents(&name, file, into)
    } else {
        Err(Error::NotABackup(name))
    }
}

fn damaged(file: &str, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it breaks off".to_owned(),
        _ => error.to_string(),
    };
    Error::Damaged { file: file.to_owned(), why }
}

fn unpack_contents(name: &str, from: impl Read, into: &Path) -> Result<Manifest, Error> {
    let broken = |error: io::Error| damaged(name, &error);
    let says = |why: String| Error::Damaged { file: name.to_owned(), why };
    let unpacker = zstd::Decoder::new(Checking::new(from)).map_err(broken)?;
    let mut tar = tar::Archive::new(unpacker);
    let mut manifest: Option<Manifest> = None;
    let mut seen: BTreeMap<String, Listed> = BTreeMap::new();
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let file = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(known) = &manifest else {
            let mut bytes = Vec::new();
            entry.by_ref().take(MAX_MANIFEST).read_to_end(&mut bytes).map_err(broken)?;
            if file != manifest::NAME {
                return Err(Error::NotABackup(name.to_owned()));
            }
            manifest = Some(Manifest::parse(name, &bytes)?);
            continue;
        };
        let listed = known.files.iter().find(|listed| listed.name == file);
        // A name with a folder in it, or one that is there twice, was never written by this program.
        let Some(listed) = listed.filter(|_| !file.contains(['/', '\\']) && !seen.contains_key(&file)) else {
            return Err(says("it holds what its manifest does not name".to_owned()));
        };
        let size = entry.size();
        if size != listed.size_bytes {
            return Err(says(format!("{file} has another size than its manifest says")));
        }
        save(&mut entry, &into.join(&file), broken)?;
        seen.insert(file.clone(), list(into, &file)?);
    }
    // The archive ends before the compressed text does; only the whole text has the checksum.
    let mut unpacker = tar.into_inner();
    io::copy(&mut unpacker, &mut io::sink()).map_err(broken)?;
    if !unpacker.finish().into_inner().ends_whole() {
        return Err(says("it is not as it was written".to_owned()));
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
        return Err(says(format!("{} is not what its manifest says", listed.name)));
    }
    Ok(manifest)
}

/// Tells trouble with the backup from trouble with the disk.
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

/// Writes a file of which nobody sees half: under another name first.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let problem = |error: io::Error| Error::file(path, &error);
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = Path::new(&draft);
    let mut file = private_files::replace_file(draft).map_err(problem)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(problem)?;
    fs::rename(draft, path).map_err(problem)?;
    sync_folder(path)
}

/// So that a name outlives a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = super::folder::of(path);
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| Error::file(&folder, &error))
}
