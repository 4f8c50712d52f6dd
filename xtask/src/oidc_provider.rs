//! Installs the certified OpenID provider that tests sign in with into `target/oidc-provider`.
//!
//! The file `node` there names the Node.js to run it with; a test that does not find it is skipped. Versions are
//! pinned in `crates/ba-copilot/tests/oidc`.

use std::{fs, path::PathBuf};

use crate::{root, tools};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: oidc-provider: {problem}. The test that signs in with it will be skipped. \
             It needs npm and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let pinned = root().join("crates/ba-copilot/tests/oidc");
    let lock = [pinned.join("package-lock.json")];
    tools::installed("oidc-provider", "oidc-provider (npm)", &lock, |folder| {
        tools::npm(&pinned, folder)?;
        // It also runs on the oldest Node.js that the bundle is made with, and then warns.
        let newer = fs::read_to_string(root().join("target/mcp-tools/node")).map(PathBuf::from);
        let node = newer.ok().filter(|node| node.exists()).or_else(|| tools::which(&PathBuf::from("node")));
        let node = node.ok_or("there is no Node.js")?;
        fs::write(folder.join("node"), node.display().to_string()).map_err(|error| error.to_string())
    })
    .map(|_| ())
}
