//! `coverage`: how much of the pure crates and of the use cases their own tests reach. A figure to read, not a gate.

use std::collections::BTreeMap;

use test_support::SKIPS;

use crate::{Outcome, program, root, test::SkipFile};

/// Crates whose tests need no server and no browser.
const CRATES: [&str; 4] = ["mermend", "blueprint", "drafter", "application"];

/// Lines of code: all, and those that no test reached.
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
        .args(["llvm-cov", "--summary-only"])
        .args(crates.flat_map(|name| ["-p", name]))
        .env(SKIPS, &skips.0)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("cargo llvm-cov failed ({})\n{report}", output.status));
    }
    let per_crate = lines_of_crates(&report)?;
    println!("{:<14}{:>8}{:>10}{:>9}", "crate", "lines", "missed", "reached");
    for (name, (lines, missed)) in &per_crate {
        let reached = 100.0 * (lines - missed) as f64 / (*lines).max(1) as f64;
        println!("{name:<14}{lines:>8}{missed:>10}{reached:>8.1}%");
    }
    for skip in skips.read()?.lines() {
        println!("skipped: {}", skip.replace('\t', " "));
    }
    Ok(())
}

/// Adds up the report's lines by crate. Its columns are: file, then regions, functions, lines and branches, each as
/// count, missed and percentage. Files are named from the folder that all of them are in.
fn lines_of_crates(report: &str) -> Result<BTreeMap<String, Lines>, String> {
    let mut crates: BTreeMap<String, Lines> = BTreeMap::new();
    for row in report.lines().filter(|row| row.split_whitespace().next().is_some_and(is_source)) {
        let columns: Vec<&str> = row.split_whitespace().collect();
        let number = |at: usize| columns.get(at).and_then(|text| text.parse::<u64>().ok());
        let (Some(lines), Some(missed)) = (number(7), number(8)) else {
            return Err(format!("a row of the report cannot be read: {row}"));
        };
        let name = columns[0].trim_start_matches("crates/").split('/').next().unwrap_or_default();
        if CRATES.contains(&name) {
            let sum = crates.entry(name.to_owned()).or_default();
            *sum = (sum.0 + lines, sum.1 + missed);
        }
    }
    if crates.is_empty() { Err(format!("the report names no crate:\n{report}")) } else { Ok(crates) }
}

fn is_source(file: &str) -> bool {
    file.ends_with(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_up_by_crate() {
        let report = "\
Filename  Regions  Missed  Cover  Functions  Missed  Executed  Lines  Missed  Cover  Branches  Missed  Cover
----
blueprint/src/lint.rs   120  10  91.67%  12  1  91.67%  200  20  90.00%  0  0  -
drafter/src/words.rs    50   5   90.00%  5   0  100.00%  80  8  90.00%  0  0  -
drafter/src/tag.rs      50   5   90.00%  5   0  100.00%  20  2  90.00%  0  0  -
test-support/src/lib.rs 50   5   90.00%  5   0  100.00%  20  2  90.00%  0  0  -
----
TOTAL                   270  25  91.00%  27  1  95.00%  320  32  90.00%  0  0  -
";
        let expected =
            [("blueprint".to_owned(), (200, 20)), ("drafter".to_owned(), (100, 10))].into_iter().collect();
        assert_eq!(lines_of_crates(report), Ok(expected));
        assert!(lines_of_crates("").is_err());
        assert!(lines_of_crates("drafter/src/tag.rs few columns").is_err());
    }
}
