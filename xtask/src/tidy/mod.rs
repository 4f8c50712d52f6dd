//! `tidy`: what neither Cargo nor clippy sees: the size of files, the width of lines, circles of imports, what pure
//! crates name, the reason of each dependency, and the paths that documents name.
//!
//! Which crate depends on which is proved by Cargo, and held against ARCHITECTURE.md by a test here.

mod imports;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Outcome, root};

/// Over this there is a second module hidden inside.
const MAX_LINES: usize = 600;
/// Columns of a line of Rust, attributes and comments included.
const MAX_WIDTH: usize = 120;
const MAX_ARCHITECTURE_LINES: usize = 250;

/// Folder and what its code must not name. The standard library is a dependency that no manifest shows.
const PURE: [(&str, &[&str]); 4] = [
    ("crates/mermend/src", &["std::net", "std::process", "async fn"]),
    ("crates/blueprint/src", &["std::fs", "std::net", "std::time", "std::process", "async fn"]),
    ("crates/drafter/src", &["std::fs", "std::net", "std::time", "std::process", "async fn"]),
    (
        "crates/application/src/session",
        &["tokio::", "std::fs", "std::net", "std::time", "async fn", ".await"],
    ),
];

/// Documents whose paths must exist.
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];

pub(crate) fn run() -> Outcome {
    let (files, problems) = problems(&root())?;
    match problems.is_empty() {
        true => {
            println!("tidy: {files} files, no problems");
            Ok(())
        }
        false => Err(format!("{} problems\n{}", problems.len(), problems.join("\n"))),
    }
}

/// How many files were read, and what is wrong with them.
fn problems(root: &Path) -> Result<(usize, Vec<String>), String> {
    let mut problems = Vec::new();
    let mut paths = Vec::new();
    for folder in ["crates", "xtask"] {
        rust_files(&root.join(folder), &mut paths);
    }
    let mut files = BTreeMap::new();
    for path in &paths {
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        files.insert(name, read(path)?);
    }
    for (name, text) in &files {
        check_shape(name, text, &mut problems);
        check_pure(name, text, &mut problems);
    }
    for (folder, _) in PURE {
        if !files.keys().any(|name| name.starts_with(folder)) {
            problems.push(format!("xtask/src/tidy/mod.rs: PURE names {folder}, which does not exist"));
        }
    }
    check_imports(&files, &mut problems);
    check_manifests(root, &mut problems)?;
    for document in DOCUMENTS {
        check_document(root, document, &read(&root.join(document))?, &mut problems);
    }
    Ok((files.len(), problems))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn check_shape(name: &str, text: &str, problems: &mut Vec<String>) {
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not open with //! and what it is"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        problems.push(format!("{name}: {lines} lines; look for the second module at {MAX_LINES}"));
    }
    for (number, line) in text.lines().enumerate() {
        let width = line.chars().count();
        if width > MAX_WIDTH {
            problems.push(format!("{name}:{}: {width} columns wide; at most {MAX_WIDTH}", number + 1));
        }
    }
}

fn check_pure(name: &str, text: &str, problems: &mut Vec<String>) {
    if name.ends_with("testing.rs") || name.ends_with("tests.rs") {
        return;
    }
    for (_, words) in PURE.iter().filter(|(folder, _)| name.starts_with(&format!("{folder}/"))) {
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").enumerate();
        for (number, line) in code.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for word in words.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{name}:{}: a pure module names `{word}`", number + 1));
            }
        }
    }
}

/// `application/json` and the like. `application/src/…` is a path of the crate of that name.
fn is_media_type(name: &str) -> bool {
    name.split_once('/').is_some_and(|(kind, subtype)| {
        matches!(kind, "application" | "text") && !subtype.contains('/') && !subtype.is_empty()
    })
}

/// Circles of imports in each crate.
fn check_imports(files: &BTreeMap<String, String>, problems: &mut Vec<String>) {
    let mut crates: BTreeMap<String, Vec<imports::Source>> = BTreeMap::new();
    for (name, text) in files {
        if let Some((folder, file)) = name.split_once("/src/") {
            let module = file.trim_end_matches(".rs").split('/').map(str::to_owned);
            let module = module.filter(|name| !["mod", "lib", "main"].contains(&name.as_str())).collect();
            let sources = crates.entry(folder.to_owned()).or_default();
            sources.push(imports::Source { module, text: text.clone() });
        }
    }
    for (folder, sources) in &crates {
        for circle in imports::circles(sources) {
            let modules: Vec<&str> = circle.modules.iter().map(String::as_str).collect();
            problems.push(format!(
                "{folder}: a circle of imports in `{}`: {}\n    {}",
                circle.parent.join("::"),
                modules.join(" "),
                circle.imports.join("\n    ")
            ));
        }
    }
}

/// Each crate takes the lints of the workspace, and each dependency on others has its reason beside it once.
fn check_manifests(root: &Path, problems: &mut Vec<String>) -> Outcome {
    let mut manifests = vec![root.join("Cargo.toml"), root.join("xtask/Cargo.toml")];
    let folders = fs::read_dir(root.join("crates")).map_err(|error| format!("crates: {error}"))?;
    manifests.extend(folders.flatten().map(|folder| folder.path().join("Cargo.toml")));
    manifests.sort();
    let (mut with, mut without) = (Vec::new(), BTreeMap::new());
    for path in manifests {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = read(&path)?;
        if name != "Cargo.toml" && !text.contains("[lints]\nworkspace = true") {
            problems.push(format!("{name}: does not take the lints of the workspace"));
        }
        for (dependency, has_reason) in dependencies(&text) {
            match has_reason {
                true => with.push(dependency),
                false => {
                    without.entry(dependency).or_insert_with(|| name.clone());
                }
            }
        }
    }
    without.retain(|dependency, _| !with.contains(dependency));
    for (dependency, manifest) in &without {
        problems.push(format!("{manifest}: `{dependency}` has no comment that says why it is needed"));
    }
    Ok(())
}

/// The dependencies of a manifest that are not of this workspace, and whether a comment stands above each or beside it.
fn dependencies(manifest: &str) -> Vec<(String, bool)> {
    let (mut found, mut in_table, mut above) = (Vec::new(), false, false);
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            in_table = table.ends_with("dependencies");
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push((name.to_owned(), above));
            }
        } else if in_table
            && let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
        {
            let name = name.trim();
            let is_ours = value.contains("path =")
                || name.ends_with(".workspace")
                || value.contains("workspace = true");
            if !is_ours {
                found.push((name.to_owned(), above || value.contains(" # ")));
            }
        }
        above = line.starts_with('#');
    }
    found
}

/// A document names only paths that exist: from the root, from `crates`, or from the sources of a crate.
fn check_document(root: &Path, document: &str, text: &str, problems: &mut Vec<String>) {
    let crates = root.join("crates");
    let sources = fs::read_dir(&crates).into_iter().flatten().flatten().map(|one| one.path().join("src"));
    let places: Vec<PathBuf> = [root.to_owned(), crates.clone()].into_iter().chain(sources).collect();
    for name in paths_in(text) {
        if !places.iter().any(|place| place.join(name).exists()) {
            problems.push(format!("{document}: names `{name}`, which does not exist"));
        }
    }
    let lines = text.lines().count();
    if document == "ARCHITECTURE.md" && lines >= MAX_ARCHITECTURE_LINES {
        problems.push(format!(
            "{document}: {lines} lines; it is read whole, so keep it under {MAX_ARCHITECTURE_LINES}"
        ));
    }
}

fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|name| {
        name.contains('/')
            && !name.contains([' ', '<', '{', ':', '*', '$'])
            && !name.starts_with(['/', '-', '~', '@'])
            && !is_media_type(name)
    })
}

pub(crate) fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let (files, problems) = problems(&root()).expect("files");
        assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
        assert!(files > 100, "{files} files were read");
    }

    #[test]
    fn a_pure_module_names_no_world() {
        let check = |name: &str, text: &str, expected: usize| {
            let mut problems = Vec::new();
            check_pure(name, text, &mut problems);
            assert_eq!(problems.len(), expected, "{name} {text}: {problems:?}");
        };
        check("crates/drafter/src/tag.rs", "use std::fs;", 1);
        check("crates/drafter/src/tag.rs", "// use std::fs;\n#[cfg(test)]\nmod tests { use std::fs; }", 0);
        check("crates/drafter/src/tag/tests.rs", "use std::fs;", 0);
        check("crates/store/src/pool.rs", "use std::fs;", 0);
    }

    #[test]
    fn a_dependency_has_its_reason_above_or_beside_it() {
        let manifest = "[dependencies]\n# Reads JSON.\na = \"1\"\nb = \"1\" # Writes it.\nc = \"1\"\n\
                        ours.workspace = true\n\
                        own = { path = \"x\" }\n\n# Runs it.\n[dependencies.d]\nversion = \"1\"\n\
                        [dev-dependencies]\ne = \"1\"\n\
                        [features]\nf = [\"dep:a\"]\n";
        let expected = [("a", true), ("b", true), ("c", false), ("d", true), ("e", false)];
        assert_eq!(dependencies(manifest), expected.map(|(name, reason)| (name.to_owned(), reason)));
    }

    #[test]
    fn paths_are_told_from_other_code_in_documents() {
        let text = "`src/main.rs`, `cargo test`, `/api/v1`, `text/html`, `application/problem+json`, `a/{b}`, `ops/`, \
                    `application/src/app.rs`";
        assert_eq!(paths_in(text).collect::<Vec<_>>(), ["src/main.rs", "ops/", "application/src/app.rs"]);
    }

    /// The table of crates in ARCHITECTURE.md: each crate and the crates of the workspace that it depends on.
    fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut lines = text.lines().skip_while(|line| !line.starts_with("| crate |"));
        let header: Vec<&str> = lines.next().unwrap_or_default().split('|').map(str::trim).collect();
        let column = header.iter().position(|name| *name == "depends on").expect("a column `depends on`");
        let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let names =
                |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            (names(cells[1]).concat(), names(cells[column]).into_iter().collect())
        })
        .collect()
    }

    #[test]
    fn the_table_of_crates_is_what_cargo_builds() {
        let output = crate::program("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
            .output()
            .expect("cargo metadata");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let packages = metadata["packages"].as_array().expect("packages");
        let name = |package: &serde_json::Value| package["name"].as_str().expect("a name").to_owned();
        let ours: BTreeSet<String> = packages.iter().map(name).collect();
        let built: BTreeMap<String, BTreeSet<String>> = packages
            .iter()
            .filter(|package| package["manifest_path"].as_str().is_some_and(|path| path.contains("/crates/")))
            .map(|package| {
                let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
                // What tests need besides is no part of the product.
                let built = dependencies.filter(|dependency| dependency["kind"] != "dev").map(name);
                (name(package), built.filter(|name| ours.contains(name)).collect())
            })
            .collect();
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
        assert_eq!(
            table(&text),
            built,
            "left: the table `Code map` of ARCHITECTURE.md; right: cargo metadata"
        );
    }

    #[test]
    fn the_table_is_read_by_the_names_of_its_columns() {
        let text = "# Title\n\n| crate | what it is | depends on |\n|---|---|---|\n\
                    | `a` | `x` | `b`, `c` |\n| `b` | | |\n\n| `d` | | |\n";
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let expected = [("a".to_owned(), set(&["b", "c"])), ("b".to_owned(), set(&[]))].into_iter().collect();
        assert_eq!(table(text), expected);
    }
}
