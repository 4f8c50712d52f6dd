//! Installs what tests and linters need from registries into folders in `target`; versions are pinned in the
//! repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{has, root};

/// Installs `what` into `target/NAME`, unless that was done with these very files; returns the folder.
///
/// # Errors
/// Why it is not there.
pub(crate) fn installed(
    name: &str,
    what: &str,
    pinned: &[PathBuf],
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = root().join("target").join(name);
    let read =
        |file: &PathBuf| fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()));
    let stamp: String = pinned.iter().map(read).collect::<Result<_, _>>()?;
    // Written last, so that an install that was stopped half-way is done again.
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(folder);
    }
    println!("Installing {what} into target/{name}");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    install(&folder)?;
    fs::write(folder.join("stamp"), stamp).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Installs the packages of the lock file in `pinned`.
pub(crate) fn npm(pinned: &Path, folder: &Path) -> Result<(), String> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(file), folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    run("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
}

/// Installs the packages of a file of requirements into `venv`.
pub(crate) fn pip(requirements: &Path, folder: &Path) -> Result<(), String> {
    let python = ["python3", "python"].into_iter().find(|name| has(name)).ok_or("there is no Python")?;
    run(python, &["-m", "venv", "venv"], folder)?;
    let pip = folder.join("venv/bin/pip").display().to_string();
    run(&pip, &["install", "--quiet", "-r", &requirements.display().to_string()], folder)
}

/// Where a program of this name is.
pub(crate) fn which(program: &Path) -> Option<PathBuf> {
    let output = Command::new("sh").args(["-c", "command -v \"$1\"", "sh"]).arg(program).output().ok()?;
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())).filter(|file| file.exists())
}

/// Runs a program; the error holds the last line of its standard error.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!(
                "{program} {} failed: {}",
                arguments.join(" "),
                text.lines().last().unwrap_or_default()
            ))
        }
    }
}

/// Runs a program that prints to the terminal.
pub(crate) fn run_visibly(program: &str, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} {} failed ({status})", arguments.join(" ")))
    }
}
