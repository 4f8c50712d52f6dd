//! `tidy`: what must never be true of the code, proven by reading it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Done, root};

/// Folder (or file), and what its code must not name. Tests are not code of the folder.
const FORBIDDEN: [(&str, &[&str], &str); 14] = [
    (
        "crates/diagram/src",
        &["std::fs", "std::net", "std::time", "mermend::", "blueprint::"],
        "diagram is data only",
    ),
    (
        "crates/mermend/src",
        &["tokio::", "sqlx::", "axum::", "reqwest::", "std::net", "async fn"],
        "mermend is pure: no network, no async",
    ),
    (
        "crates/blueprint/src",
        &["tokio::", "std::fs", "std::net", "std::time", "mermend::", "async fn"],
        "blueprint owns meaning only",
    ),
    (
        "crates/drafter/src",
        &["tokio::", "std::fs", "std::net", "std::time", "mermend::", "async fn"],
        "drafter works without anything",
    ),
    (
        "crates/llm/src",
        &["sqlx::", "axum::", "store::", "blueprint::", "mermend::"],
        "llm knows vendors, not us",
    ),
    (
        "crates/store/src",
        &["axum::", "reqwest::", "llm::", "blueprint::", "mermend::"],
        "store knows SQL, not us",
    ),
    (
        "crates/ba-copilot/src/engine",
        &["tokio::", "axum::", "store::", "llm::", "std::time", "std::fs", "async fn", ".await"],
        "the engine decides; it never waits",
    ),
    (
        "crates/ba-copilot/src/service",
        &["axum::", "clap::", "maud::", "rmcp::", "sqlx::"],
        "services know no door",
    ),
    (
        "crates/ba-copilot/src/ops",
        &["axum::", "clap::", "maud::", "rmcp::", "sqlx::"],
        "operations know no door",
    ),
    ("crates/ba-copilot/src/mcp", &["store::", "sqlx::", "drafter::", "axum::"], "doors go through services"),
    ("crates/ba-copilot/src/http", &["store::", "sqlx::", "drafter::"], "doors go through services"),
    ("crates/ba-copilot/src/web", &["store::", "sqlx::", "drafter::"], "doors go through services"),
    (
        "crates/ba-copilot/src/cli",
        &["store::", "sqlx::", "drafter::", "axum::extract"],
        "doors go through services",
    ),
    ("crates/ba-copilot/src", &["sqlx::"], "only the store has SQL"),
];

/// Only these may read the environment: cargo speaks to a build script in no other way.
const READS_ENVIRONMENT: [&str; 2] = ["crates/ba-copilot/src/config", "crates/mermend/build.rs"];

/// Over this there is a second module hidden inside.
const MAX_LINES: usize = 600;

pub(crate) fn run() -> Done {
    let root = root();
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for folder in ["crates", "xtask"] {
        rust_files(&root.join(folder), &mut files);
    }
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file).display().to_string();
        let text = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        look_at(&name, &text, &mut problems);
    }
    for manifest in fs::read_dir(root.join("crates")).into_iter().flatten().flatten() {
        let path = manifest.path().join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !text.contains("[lints]\nworkspace = true") {
            problems.push(format!("{}: does not take the lints of the workspace", path.display()));
        }
    }
    match problems.is_empty() {
        true => {
            println!("tidy: {} files, no problems", files.len());
            Ok(())
        }
        false => Err(format!("{} problems\n{}", problems.len(), problems.join("\n"))),
    }
}

fn look_at(name: &str, text: &str, problems: &mut Vec<String>) {
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not open with //! and what it is"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        problems.push(format!("{name}: {lines} lines; look for the second module at {MAX_LINES}"));
    }
    // Built so that this file does not find itself.
    for word in [concat!("#[", "allow("), concat!("to", "do!("), concat!("un", "safe {")] {
        if text.contains(word) {
            problems.push(format!("{name}: `{word}` has no place here"));
        }
    }
    let is_test = name.contains("/tests/")
        || name.contains("/examples/")
        || name.ends_with("testing.rs")
        || name.ends_with("tests.rs");
    if is_test || name.starts_with("xtask") {
        return;
    }
    let code: Vec<(usize, &str)> = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect();
    for (folder, forbidden, why) in FORBIDDEN {
        if !name.starts_with(folder) {
            continue;
        }
        for (number, line) in &code {
            // The start-up of the server owns the database handle until the end.
            for word in forbidden.iter().filter(|word| names(line, word)) {
                problems.push(format!("{name}:{}: names `{word}`: {why}", number + 1));
            }
        }
    }
    if !READS_ENVIRONMENT.iter().any(|folder| name.starts_with(folder)) {
        for (number, line) in &code {
            if line.contains("env::var") {
                problems.push(format!("{name}:{}: reads the environment; only config does", number + 1));
            }
        }
    }
}

/// Whether a line names a path beginning with `word`, not just a word that ends like it.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
