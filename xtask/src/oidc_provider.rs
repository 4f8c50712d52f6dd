//! The certified OpenID provider that the tests sign in with, in `target/oidc-provider`.
//!
//! `node` there is a file that names the Node.js to run it with; a test that finds no such file says loudly that it is
//! skipped. What is installed is pinned in `crates/ba-copilot/tests/oidc`.

use std::{fs, path::PathBuf};

use crate::{
    mcp_tools::{run, which},
    root,
};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: oidc-provider: {problem}. The test that signs in with it will be skipped. It needs npm and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let pinned = root().join("crates/ba-copilot/tests/oidc");
    let folder = root().join("target/oidc-provider");
    let stamp = fs::read_to_string(pinned.join("package-lock.json")).map_err(|error| error.to_string())?;
    // Written last, so that an install that was stopped half-way is done again.
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("Installing oidc-provider into target/oidc-provider (npm)");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(file), folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    run("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], &folder)?;
    // It runs on the oldest Node.js that the bundle is made with, too, and says that a newer one is better.
    let newer = fs::read_to_string(root().join("target/mcp-tools/node")).map(PathBuf::from);
    let node = newer.ok().filter(|node| node.exists()).or_else(|| which(&PathBuf::from("node")));
    let node = node.ok_or("there is no Node.js")?;
    fs::write(folder.join("node"), node.display().to_string()).map_err(|error| error.to_string())?;
    fs::write(folder.join("stamp"), stamp).map_err(|error| error.to_string())
}
