//! Installs moto, the S3 server that tests send backups to, into `target/s3-server`.
//!
//! A test that does not find it there is skipped. Versions are pinned in `crates/ba-copilot/tests/s3`.

use crate::{root, tools};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: moto: {problem}. The tests that keep backups in S3-compatible storage will be skipped. \
             They need Python 3.10 or newer with venv, and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let requirements = root().join("crates/ba-copilot/tests/s3/requirements.txt");
    let pinned = [requirements.clone()];
    tools::installed("s3-server", "moto (pip)", &pinned, |folder| tools::pip(&requirements, folder))
        .map(|_| ())
}
