//! Makes the Mermaid bundle and the fonts that the crate embeds, when a feature needs them.
//!
//! The bundle is made from npm packages by `web/bundle.mjs`; its inputs are hashed, so that nothing is made twice and a
//! build with a fresh bundle needs no Node. It never writes into the source tree except `web/node_modules` and
//! `web/dist`, both ignored by git.

#![expect(clippy::print_stderr, reason = "cargo shows the output of build scripts")]
#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes the arguments of build scripts in the environment"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const INPUTS: [&str; 12] = [
    "package.json",
    "package-lock.json",
    "bundle.mjs",
    "mermaid/entry.js",
    "mermaid/host.js",
    "mermaid/jison.js",
    "mermaid/lexers.mjs",
    "mermaid/sources.mjs",
    "mcp-app/app.html",
    "mcp-app/app.js",
    "mcp-app/host.js",
    "mcp-app/style.css",
];

fn main() {
    // Asked when it runs, not when it was compiled: the folder may have been moved since.
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../web");
    for input in INPUTS {
        println!("cargo::rerun-if-changed={}", web.join(input).display());
    }
    if !cfg!(any(feature = "mermaid", feature = "pictures")) {
        return;
    }
    let dist = web.join("dist");
    println!("cargo::rerun-if-changed={}", dist.join("stamp").display());
    println!("cargo::rustc-env=MERMEND_DIST={}", dist.display());
    println!("cargo::rustc-env=MERMEND_MERMAID_VERSION={}", mermaid_version(&web));
    if let Err(problem) = bundle(&web, &dist) {
        eprintln!(
            "\nmermend embeds Mermaid's own parser, which is made from npm packages at build time.\n{problem}\n\
             Install Node.js 20 or newer with npm (https://nodejs.org) and build again,\n\
             or build without it: cargo build -p ba-copilot --no-default-features\n"
        );
        std::process::exit(1);
    }
}

/// The version that `web/package.json` pins.
fn mermaid_version(web: &Path) -> String {
    let manifest = fs::read_to_string(web.join("package.json")).unwrap_or_default();
    manifest
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"mermaid\": \""))
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("unknown")
        .to_owned()
}

fn bundle(web: &Path, dist: &Path) -> Result<(), String> {
    let stamp = stamp(web)?;
    if fs::read_to_string(dist.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    let lock =
        fs::read(web.join("package-lock.json")).map_err(|error| format!("web/package-lock.json: {error}"))?;
    // npm writes this file last, so its age tells whether an install was finished for this lock file.
    let installed = web.join("node_modules/.installed-lock");
    if fs::read(&installed).ok().as_deref() != Some(&lock) {
        // No package of it runs anything of its own while it is installed.
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(web))?;
        fs::write(&installed, &lock).map_err(|error| format!("{}: {error}", installed.display()))?;
    }
    // Made aside and moved, so that a build that is stopped half-way leaves no half a bundle.
    let aside = dist.with_extension("new");
    let _ = fs::remove_dir_all(&aside);
    run(Command::new("node").arg("bundle.mjs").arg(&aside).current_dir(web))?;
    fs::write(aside.join("stamp"), &stamp).map_err(|error| format!("{}: {error}", aside.display()))?;
    let _ = fs::remove_dir_all(dist);
    fs::rename(&aside, dist).map_err(|error| format!("{}: {error}", dist.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?} could not be started: {error}."))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// FNV-1a over all inputs: it only has to notice a change.
fn stamp(web: &Path) -> Result<String, String> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for input in INPUTS {
        let bytes = fs::read(web.join(input)).map_err(|error| format!("web/{input}: {error}"))?;
        for byte in input.bytes().chain(bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Ok(format!("{hash:016x}"))
}
