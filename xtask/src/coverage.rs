//! `coverage`: how much of the pure crates and of the use cases their own tests reach. A figure to read, not a gate.

use std::collections::BTreeMap;

use test_support::SKIPS;

use crate::{Outcome, program, root, test::SkipFile};

/// Crates whose tests need no server and no browser.
const CRATES: [&str; 4] = ["mermend", "blueprint", "drafter", "application"];

/// Lines of code: all, and those that a test reached.
type Lines = (u64, u64);

pub(crate) fn run() -> Outcome {
    let installed = program("cargo").args(["llvm-cov", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return Err("cargo-llvm-cov is not installed. Install it and LLVM's tools: \
                    cargo install cargo-llvm-cov --locked && rustup component add llvm-tools"
            .to_owned());
    }
    let crates = CRATES.iter().filter(|name| root().join("crates").join(name).exists());
    let skips = SkipFile::new()?;
    let output = program("cargo")
        .args(["llvm-cov", "--release", "--lcov"])
        .args(crates.flat_map(|name| ["-p", name]))
        .env(SKIPS, &skips.0)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("cargo llvm-cov failed ({})", output.status));
    }
    let per_crate = lines_of_crates(&report)?;
    println!("{:<14}{:>8}{:>10}{:>10}", "crate", "lines", "reached", "coverage");
    for (name, (lines, reached)) in &per_crate {
        let share = 100.0 * *reached as f64 / (*lines).max(1) as f64;
        println!("{name:<14}{lines:>8}{reached:>10}{share:>9.1}%");
    }
    for skip in skips.read()?.lines() {
        println!("skipped: {}", skip.replace('\t', " "));
    }
    Ok(())
}

/// Adds up a report in the format of LCOV: `SF:` begins a file, `LF:` and `LH:` count its lines and those that were
/// reached.
fn lines_of_crates(report: &str) -> Result<BTreeMap<String, Lines>, String> {
    let mut crates: BTreeMap<String, Lines> = BTreeMap::new();
    let mut current = None;
    for row in report.lines() {
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{row}: {error}"));
        if let Some(file) = row.strip_prefix("SF:") {
            let name = file.split_once("/crates/").and_then(|(_, rest)| rest.split('/').next());
            current = name.filter(|name| CRATES.contains(name)).map(str::to_owned);
        } else if let Some(name) = &current {
            let sum = crates.entry(name.clone()).or_default();
            if let Some(lines) = row.strip_prefix("LF:") {
                sum.0 += number(lines)?;
            } else if let Some(reached) = row.strip_prefix("LH:") {
                sum.1 += number(reached)?;
            }
        }
    }
    if crates.is_empty() { Err("the report names none of the crates".to_owned()) } else { Ok(crates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_up_by_crate() {
        let report = "SF:/x/crates/blueprint/src/lint.rs\nDA:1,1\nLF:200\nLH:180\nend_of_record\n\
                      SF:/x/crates/drafter/src/words.rs\nLF:80\nLH:72\nend_of_record\n\
                      SF:/x/crates/drafter/src/tag.rs\nLF:20\nLH:18\nend_of_record\n\
                      SF:/x/crates/test-support/src/lib.rs\nLF:20\nLH:2\nend_of_record\n";
        let expected =
            [("blueprint".to_owned(), (200, 180)), ("drafter".to_owned(), (100, 90))].into_iter().collect();
        assert_eq!(lines_of_crates(report), Ok(expected));
        assert!(lines_of_crates("").is_err());
        assert!(lines_of_crates("SF:/x/crates/drafter/src/tag.rs\nLF:many\n").is_err());
    }
}
