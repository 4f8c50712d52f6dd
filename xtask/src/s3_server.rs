//! Moto, the S3 server that backups are sent to in tests, in `target/s3-server`.
//!
//! A test that does not find it there says loudly that it is skipped. What is installed is pinned in `crates/ba-copilot/tests/s3`.

use crate::{root, tools};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: moto: {problem}. The tests that keep backups in S3-compatible storage will be skipped. They need Python 3.10 or newer with venv, and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let requirements = root().join("crates/ba-copilot/tests/s3/requirements.txt");
    let pinned = [requirements.clone()];
    tools::once("s3-server", "moto (pip)", &pinned, |folder| tools::pip(&requirements, folder)).map(|_| ())
}
