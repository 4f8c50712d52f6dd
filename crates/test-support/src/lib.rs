//! What tests of several crates share: counted skips, measuring data from outside the repository, and waiting for a
//! condition.
//!
//! A development dependency only; no part of the product.

#![expect(clippy::panic, reason = "a failed test panics")]

mod pooler;
pub mod postgres;

pub use pooler::Pooler;

use std::{
    fmt, fs,
    io::Write,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Names the file that skips are appended to. `cargo xtask test` sets it and counts what is in the file.
pub const SKIPS: &str = "BA_COPILOT_TEST_SKIPS";
/// Names the folder with measuring data, which is not part of the repository.
pub const CORPUS: &str = "BA_COPILOT_CORPUS";

/// The outer limit of a wait: long enough for a loaded machine, so that only a condition that never holds reaches it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A test that did not run, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// The crate, as in `cargo test -p`.
    pub package: String,
    /// The name that the test harness prints.
    pub test: String,
    /// What is missing, and how to provide it.
    pub reason: String,
}

impl Skip {
    /// One line of the file, without its line break.
    pub fn to_line(&self) -> String {
        [&self.package, &self.test, &self.reason].map(|part| part.replace(['\t', '\n'], " ")).join("\t")
    }

    /// Reads one line of the file.
    pub fn from_line(line: &str) -> Option<Skip> {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        Some(Skip { package: parts.next()?, test: parts.next()?, reason: parts.next()? })
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.package.is_empty() {
            write!(f, "{} ", self.package)?;
        }
        write!(f, "{}: {}", self.test, self.reason)
    }
}

/// Records that the running test is skipped, or a part of it; the caller then returns.
///
/// # Panics
/// On any thread other than that of the test, which has the name of the test. Also if no file for skips is named:
/// `cargo test` alone cannot report a skip, and a skip must not look like a pass.
pub fn skip(reason: impl Into<String>) {
    let thread = thread::current();
    let test = match thread.name() {
        None | Some("main") => panic!("skip is called on a thread that no test has"),
        Some(name) if name.starts_with("tokio-") => panic!("skip is called on a thread of the runtime"),
        Some(test) => test.to_owned(),
    };
    let package = environment("CARGO_PKG_NAME").unwrap_or_default();
    let skip = Skip { package, test, reason: reason.into() };
    let Some(file) = environment(SKIPS) else {
        panic!(
            "skipped: {}. A skip fails unless it is counted: run `cargo xtask test`, or set {SKIPS} to a file \
             that skips are appended to",
            skip.reason
        );
    };
    // One write of one line: tests of several processes append to this file at once.
    let written = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut opened| opened.write_all(format!("{}\n", skip.to_line()).as_bytes()));
    if let Err(error) = written {
        panic!("the skip cannot be recorded in {file}: {error}");
    }
}

/// A file of measuring data; `None`, counted as a skip, where the folder is not named.
///
/// # Panics
/// Where the folder is named and the file cannot be read, or as [`skip`] does.
pub fn corpus(file: &str) -> Option<String> {
    let Some(folder) = environment(CORPUS) else {
        skip(format!("{file} is measuring data from outside the repository; {CORPUS} names its folder"));
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => panic!("{CORPUS} is set, and {} cannot be read: {error}", path.display()),
    }
}

/// A variable of the environment that is not empty.
#[expect(clippy::disallowed_methods, reason = "the test runner configures tests by environment variables")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Waits until a condition holds.
///
/// # Panics
/// When it does not hold after [`PATIENCE`].
#[track_caller]
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            panic!("still not: {what}");
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_one_line_and_is_read_back() {
        let skip = Skip {
            package: "mermend".to_owned(),
            test: "verdicts::agree".to_owned(),
            reason: "no data;\nset a\tvariable".to_owned(),
        };
        let line = skip.to_line();
        assert_eq!(line, "mermend\tverdicts::agree\tno data; set a variable");
        let read = Skip::from_line(&line).expect("a skip");
        assert_eq!(read, Skip { reason: "no data; set a variable".to_owned(), ..skip });
        assert_eq!(Skip::from_line("mermend\tonly a name"), None);
    }
}
