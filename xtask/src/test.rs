//! `test`: what the tests need, then every test, then one closing line.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::{Done, has, mcp_tools, root, sh};

pub(crate) fn run() -> Done {
    if !has("node") || !has("npm") {
        return Err("Node.js 20 or newer with npm is needed to make the Mermaid bundle: https://nodejs.org"
            .to_owned());
    }
    provide("Chromium, to look at pictures and pages", "chromium", &["chromium", "chromium-driver"]);
    mcp_tools::provide();
    let (passed, failed, skipped, success) = cargo_test()?;
    println!("\ntests: {passed} passed, {failed} failed, {skipped} skipped");
    match success && failed == 0 && passed > 0 {
        true => Ok(()),
        false => Err("there are failures above".to_owned()),
    }
}

/// Installs what is missing where that is allowed; says what to install where it is not. The tests that need it say
/// loudly when they are skipped.
fn provide(what: &str, program: &str, packages: &[&str]) {
    if has(program) {
        return;
    }
    let root_user =
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    if root_user && has("apt-get") {
        println!("Installing {what} ({})", packages.join(", "));
        let quiet = ["-qq", "-o", "Dpkg::Use-Pty=0"];
        let _ = sh("apt-get", &[&quiet[..], &["update"]].concat());
        let install = [&quiet[..], &["install", "-y", "--no-install-recommends"], packages].concat();
        if sh("apt-get", &install).is_ok() {
            return;
        }
    }
    println!(
        "NOT INSTALLED: {what}. The tests that need it will be skipped. On Debian: apt-get install {}",
        packages.join(" ")
    );
}

/// Runs the tests, shows what they print and adds up their closing lines.
fn cargo_test() -> Result<(u32, u32, u32, bool), String> {
    println!("$ cargo test --release --workspace --no-fail-fast");
    let mut child = Command::new("cargo")
        .args(["test", "--release", "--workspace", "--no-fail-fast"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let mut counts = [0_u32; 3];
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if let Some(result) = line.strip_prefix("test result:") {
                for (count, word) in counts.iter_mut().zip([" passed", " failed", " ignored"]) {
                    *count += number_before(result, word);
                }
            }
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let [passed, failed, skipped] = counts;
    Ok((passed, failed, skipped, status.success()))
}

fn number_before(text: &str, word: &str) -> u32 {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
