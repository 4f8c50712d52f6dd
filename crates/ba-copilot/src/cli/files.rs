//! Input of commands: files, folders, standard input, JSON lines.

use std::{
    fs,
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::Failure;

const MAX_FILE_BYTES: u64 = 20 << 20;

/// Reads a file, or standard input for `-`.
pub(super) fn read_text(path: &str) -> Result<String, Failure> {
    match path {
        "-" => read_bytes(Ok(std::io::stdin()), path),
        _ => read_bytes(fs::File::open(path), path),
    }
}

fn read_bytes(source: std::io::Result<impl Read>, path: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source
        .and_then(|source| source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::Other(format!(
            "{path} is larger than the limit of {} MB.",
            MAX_FILE_BYTES >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        Failure::Other(format!(
            "{path} is not UTF-8 text: byte {} is not valid. Save the file as UTF-8.",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// A file or standard input.
pub(super) struct Input {
    /// As it was given, for messages.
    pub(super) name: String,
    path: PathBuf,
    stdin: bool,
}

impl Input {
    fn file(path: PathBuf) -> Self {
        Input { name: path.display().to_string(), path, stdin: false }
    }

    /// Its name as a path; for standard input, the one that was given for it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_stdin(&self) -> bool {
        self.stdin
    }

    pub(super) fn read(&self) -> Result<String, Failure> {
        if self.stdin { read_text("-") } else { read_bytes(fs::File::open(&self.path), &self.name) }
    }
}

/// The given files, and the files in the given folders for which `wanted` is true, in a stable order; and why
/// others could not be listed.
pub(super) fn list_inputs(
    paths: &[String],
    stdin_name: Option<&Path>,
    wanted: impl Fn(&Path) -> bool + Copy,
) -> (Vec<Input>, Vec<Failure>) {
    let (mut files, mut failures) = (Vec::new(), Vec::new());
    for path in paths {
        if path == "-" {
            let name = stdin_name.unwrap_or(Path::new("-"));
            files.push(Input { stdin: true, ..Input::file(name.to_owned()) });
        } else if Path::new(path).is_dir() {
            walk(Path::new(path), wanted, &mut files, &mut failures);
        } else {
            files.push(Input::file(PathBuf::from(path)));
        }
    }
    (files, failures)
}

fn walk(
    folder: &Path,
    wanted: impl Fn(&Path) -> bool + Copy,
    files: &mut Vec<Input>,
    failures: &mut Vec<Failure>,
) {
    let name = folder.display().to_string();
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => return failures.push(Failure::file(&name, &error)),
    };
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A symbolic link may form a cycle or leave the folder.
        if hidden || path.is_symlink() || path.ends_with("node_modules") || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            walk(&path, wanted, files, failures);
        } else if wanted(&path) {
            files.push(Input::file(path));
        }
    }
}

/// Writes to a temporary file and renames it, so that the file is never incomplete. Keeps its permissions, and the
/// link if it is a symbolic one.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let existing = fs::canonicalize(path).ok();
    let path = existing.as_deref().unwrap_or(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = fs::write(&temporary, bytes)
        .and_then(|()| match &existing {
            Some(existing) => fs::set_permissions(&temporary, fs::metadata(existing)?.permissions()),
            None => Ok(()),
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error of the write is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Reads JSON lines from standard input.
pub(super) fn json_lines<T: DeserializeOwned>() -> impl Iterator<Item = Result<T, Failure>> {
    std::io::stdin().lock().lines().enumerate().filter_map(|(number, line)| {
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(Failure::file("standard input", &error))),
        };
        if line.trim().is_empty() {
            return None;
        }
        Some(serde_json::from_str(&line).map_err(|error| {
            Failure::Other(format!(
                "Line {} of standard input is not valid for --batch: {error}. Each line \
                                    must be one JSON object; --help lists its fields.",
                number + 1
            ))
        }))
    })
}
