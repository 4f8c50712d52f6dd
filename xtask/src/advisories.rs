//! `advisories`: known vulnerabilities of what the program is made of, and of what its tests run.
//!
//! Not part of the gate: the databases are on the internet, and their contents change without a change here. The
//! workflow `advisories.yml` runs it every day. A database that cannot be reached is a failure.

use crate::{Outcome, deny, root, tools};

/// Folders with a lock file of npm: what is embedded, and what tests run.
const NPM: [&str; 3] = ["web", "crates/ba-copilot/tests/mcp", "crates/ba-copilot/tests/oidc"];

pub(crate) fn run() -> Outcome {
    let mut faults = Vec::new();
    let crates = ("crates (RustSec)".to_owned(), deny::check(&deny::install()?, &["advisories"]));
    let npm = NPM.into_iter().map(|folder| {
        let arguments = ["audit", "--package-lock-only", "--audit-level=moderate"];
        (format!("npm packages of {folder}"), tools::run_visibly("npm", &arguments, &root().join(folder)))
    });
    for (what, result) in std::iter::once(crates).chain(npm) {
        match result {
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
        Err(format!("there are advisories for {}, or the database could not be reached", faults.join(", ")))
    }
}
