//! Where tests run: a file of integration tests says so in its module documentation.
//!
//! `//! Runs on both databases.` – again on PostgreSQL. `//! Runs alone.` – by itself, because it loads the machine.
//! `//! Runs on SQLite only: …` – with the reason. The line of a `mod.rs` holds for its folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::tidy::rust_files;

const BOTH: &str = "//! Runs on both databases.";
const ALONE: &str = "//! Runs alone.";
#[cfg(test)]
const SQLITE: &str = "//! Runs on SQLite only: ";

/// Filters for the test harness, of tests that run in one way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    /// Package and its filters.
    pub(crate) packages: BTreeMap<String, Vec<String>>,
}

impl Filters {
    /// Every filter, of whichever package.
    pub(crate) fn all(&self) -> Vec<&str> {
        self.packages.values().flatten().map(String::as_str).collect()
    }

    /// The arguments of `cargo test` that select these tests.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let packages = self.packages.keys().flat_map(|package| ["-p", package.as_str()]);
        packages.chain(["--test", "it", "--"]).chain(self.all()).collect()
    }
}

/// The tests that run on both databases, and those that run alone.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn read(root: &Path) -> Result<(Filters, Filters), String> {
    let (mut both, mut alone) = (Filters::default(), Filters::default());
    for (package, module, text) in test_modules(root)? {
        for (line, filters) in [(BOTH, &mut both), (ALONE, &mut alone)] {
            if has_line(&text, line) {
                filters.packages.entry(package.clone()).or_default().push(module.clone());
            }
        }
    }
    Ok((both, alone))
}

fn has_line(text: &str, begins: &str) -> bool {
    text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(begins))
}

/// Each module of integration tests: its package, its path with `::` at the end, and its text.
fn test_modules(root: &Path) -> Result<Vec<(String, String, String)>, String> {
    let mut modules = Vec::new();
    for package in folders(&root.join("crates")) {
        let tests = package.join("tests/it");
        let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut files = Vec::new();
        rust_files(&tests, &mut files);
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            modules.push((name.clone(), module_path(&tests, &file), text));
        }
    }
    Ok(modules)
}

/// `attacks/mod.rs` is `attacks::`, `attacks/load.rs` is `attacks::load::`.
fn module_path(tests: &Path, file: &Path) -> String {
    let path = file.strip_prefix(tests).unwrap_or(file).with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").map(|part| format!("{part}::")).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    /// Every test of the router says whether it runs on both databases, so that a new file is not forgotten.
    #[test]
    fn tests_of_the_router_say_on_which_databases_they_run() {
        let mut missing = Vec::new();
        for (package, module, text) in test_modules(&root()).expect("files") {
            let has_tests = text.contains("#[test]") || text.contains("#[tokio::test");
            let placed = [BOTH, SQLITE].iter().any(|line| has_line(&text, line));
            if has_tests && text.contains("TestApp::") && !placed {
                missing.push(format!("{package} {module}"));
            }
        }
        assert!(missing.is_empty(), "neither `{BOTH}` nor `{SQLITE}…` in {missing:#?}");
    }

    /// The harness compares filters with any part of a name, so that `--skip` could leave out tests that then never
    /// run.
    #[test]
    fn filters_of_tests_that_run_alone_fit_no_other_module() {
        let (both, alone) = read(&root()).expect("files");
        assert!(!both.all().is_empty() && !alone.all().is_empty());
        for package in folders(&root().join("crates")) {
            for (folder, is_test) in [("src", false), ("tests/it", true)] {
                let folder = package.join(folder);
                let mut files = Vec::new();
                rust_files(&folder, &mut files);
                for file in files {
                    let module = module_path(&folder, &file);
                    for filter in alone.all() {
                        let meant = is_test && module.starts_with(filter);
                        assert!(meant || !module.contains(filter), "{module} is skipped by --skip {filter}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_path_of_a_module_comes_from_its_file() {
        let tests = Path::new("crates/server/tests/it");
        for (file, module) in
            [("jobs.rs", "jobs::"), ("attacks/mod.rs", "attacks::"), ("attacks/load.rs", "attacks::load::")]
        {
            assert_eq!(module_path(tests, &tests.join(file)), module);
        }
    }
}
