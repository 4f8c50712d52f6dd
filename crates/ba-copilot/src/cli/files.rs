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
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes),
        _ => fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::file(path, &error))?;
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

/// The given files, and the files in the given folders for which `wanted` is true, in a stable order.
pub(super) fn list_files(
    paths: &[String],
    wanted: impl Fn(&Path) -> bool + Copy,
) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let path = Path::new(path);
        match path.is_dir() {
            true => walk(path, wanted, &mut files)?,
            false => files.push(path.to_owned()),
        }
    }
    Ok(files)
}

fn walk(
    folder: &Path,
    wanted: impl Fn(&Path) -> bool + Copy,
    files: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let name = folder.display().to_string();
    let entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| Failure::file(&name, &error))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A symbolic link may form a cycle or leave the folder.
        if hidden || path.is_symlink() || path.ends_with("node_modules") || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            walk(&path, wanted, files)?;
        } else if wanted(&path) {
            files.push(path);
        }
    }
    Ok(())
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
