//! The certified OpenID provider that the tests sign in with, in `target/oidc-provider`.
//!
//! `node` there is a file that names the Node.js to run it with; a test that finds no such file says loudly that it is
//! skipped. What is installed is pinned in `crates/ba-copilot/tests/oidc`.

use std::{fs, path::PathBuf};

use crate::{root, tools};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: oidc-provider: {problem}. The test that signs in with it will be skipped. It needs npm and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let pinned = root().join("crates/ba-copilot/tests/oidc");
    let lock = [pinned.join("package-lock.json")];
    tools::once("oidc-provider", "oidc-provider (npm)", &lock, |folder| {
        tools::npm(&pinned, folder)?;
        // It runs on the oldest Node.js that the bundle is made with, too, and says that a newer one is better.
        let newer = fs::read_to_string(root().join("target/mcp-tools/node")).map(PathBuf::from);
        let node = newer.ok().filter(|node| node.exists()).or_else(|| tools::which(&PathBuf::from("node")));
        let node = node.ok_or("there is no Node.js")?;
        fs::write(folder.join("node"), node.display().to_string()).map_err(|error| error.to_string())
    })
    .map(|_| ())
}
