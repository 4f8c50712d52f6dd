//! Moto, the S3 server that backups are sent to in tests, in `target/s3-server`.
//!
//! A test that does not find it there says loudly that it is skipped. What is installed is pinned in `crates/ba-copilot/tests/s3`.

use std::fs;

use crate::{has, mcp_tools::run, root};

pub(crate) fn provide() {
    if let Err(problem) = install() {
        println!(
            "NOT INSTALLED: moto: {problem}. The tests that keep backups in S3-compatible storage will be skipped. They need Python 3.10 or newer with venv, and its registry."
        );
    }
}

fn install() -> Result<(), String> {
    let requirements = root().join("crates/ba-copilot/tests/s3/requirements.txt");
    let folder = root().join("target/s3-server");
    let stamp = fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    // Written last, so that an install that was stopped half-way is done again.
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("Installing moto into target/s3-server (pip)");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let python = ["python3", "python"].into_iter().find(|name| has(name)).ok_or("there is no Python")?;
    run(python, &["-m", "venv", "venv"], &folder)?;
    let pip = folder.join("venv/bin/pip").display().to_string();
    run(&pip, &["install", "--quiet", "-r", &requirements.display().to_string()], &folder)?;
    fs::write(folder.join("stamp"), stamp).map_err(|error| error.to_string())
}
