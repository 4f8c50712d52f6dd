//! `check` on files as people have them: Markdown of all sorts, names with any character, reports and patches that
//! other programs read.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{Ran, run_in};

fn check(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    run_in(folder, &[&["check"], arguments].concat(), input.as_bytes(), &[])
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("written");
    }
}

fn contents(folder: &Path, files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let read = |(name, _): &(&str, &str)| {
        ((*name).to_owned(), fs::read_to_string(folder.join(name)).expect("a text"))
    };
    files.iter().map(read).collect()
}

/// Without the settings of the machine, which may change line ends.
fn git(folder: &Path, arguments: &[&str], input: &str) -> bool {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("git starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("read by git");
    child.wait().expect("an end").success()
}

fn has_git() -> bool {
    let found = Command::new("git").arg("--version").output().is_ok();
    if !found {
        test_support::skip("git is not installed");
    }
    found
}

const BROKEN: &[(&str, &str)] = &[
    ("plain.md", "# A\n\n```mermaid\nflowchart TD\n  A[run()] --> B\n```\n\ntext\n"),
    ("with blanks.md", "> ```mermaid\n> flowchart TD\n>   A[run()] --> B\n> ```\n"),
    ("windows.md", "- a\r\n\r\n  ```mermaid\r\n  flowchart TD\r\n    A[run()] --> B\r\n  ```\r\n- b\r\n"),
    ("no end.mmd", "flowchart TD\n  A[run()] --> B"),
    ("mark.mmd", "\u{feff}flowchart TD\r\n  A[run()] --> B\r\n"),
    ("mixed.md", "a\r\nb\n\n```mermaid\nflowchart TD\r\n  A[run()] --> B\n```"),
    ("carriage returns.md", "a\rb\n\n```mermaid\nflowchart TD\n  A[run()] --> B\n```\nc\rd\n"),
    ("sub/a:b/Überblick #1 %20.md", "1.\ta\n\n\t```mermaid\n\tflowchart TD\n\t  A[run()] --> B\n\t```\n"),
    ("sub/quote \" and \\.md", "~~~mermaid\nflowchart TD\n  A[run()] --> B\n~~~\n"),
    (
        "sub/page.mdx",
        "<Tabs>\n    <Mermaid chart={`\n    flowchart TD\n      A[run()] --> B\n    `} />\n</Tabs>\n",
    ),
];

#[test]
fn patch_of_check_is_taken_by_git() {
    if !has_git() {
        return;
    }
    let (patched, fixed) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    for folder in [&patched, &fixed] {
        write(folder.path(), BROKEN);
    }
    assert!(git(patched.path(), &["init", "-q"], ""));
    let before = contents(patched.path(), BROKEN);
    let ran = check(fixed.path(), &[".", "--fix"], "");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let expected = contents(fixed.path(), BROKEN);
    for (name, text) in &before {
        assert_eq!(expected[name], text.replace("run()", "\"run()\""), "{name}");
    }

    let ran = check(patched.path(), &[".", "--fix", "--diff"], "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(contents(patched.path(), BROKEN), before, "--diff writes nothing");
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("--- ")).count(), BROKEN.len(), "{}", ran.out);
    assert!(ran.out.contains("\\ No newline at end of file"), "{}", ran.out);
    // From a folder below, the patch has only what is there.
    let below = check(&patched.path().join("sub"), &[".", "--fix", "--diff"], "");
    assert!(git(&patched.path().join("sub"), &["apply", "--check", "-"], &below.out), "{}", below.out);
    assert!(git(patched.path(), &["apply", "-"], &ran.out), "{}", ran.out);
    assert_eq!(contents(patched.path(), BROKEN), expected);
    assert_eq!(check(patched.path(), &["."], "").code, 0);
    let again = check(patched.path(), &[".", "--fix", "--diff"], "");
    assert_eq!((again.code, again.out.as_str()), (0, ""));
}

#[test]
fn an_input_that_cannot_be_read_leaves_the_results_of_the_others() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), BROKEN);
    fs::write(folder.path().join("latin.md"), b"\xe4\xf6").expect("written");
    for (format, expected) in [
        ("text", "plain.md:5:5: error"),
        ("json", "\"file\":\"plain.md\""),
        ("jsonl", "\"file\":\"plain.md\""),
        ("sarif", "\"uri\":\"plain.md\""),
        ("github", "::error file=plain.md,line=5,"),
    ] {
        let ran = check(folder.path(), &["none.md", "plain.md", "latin.md", "--format", format], "");
        assert_eq!(ran.code, 2, "{format}: {}", ran.err);
        assert!(ran.out.contains(expected), "{format}: {}", ran.out);
        assert!(ran.err.contains("none.md cannot be used") && ran.err.contains("latin.md is not UTF-8"));
    }
    let ran = check(folder.path(), &["none.md", "plain.md", "--fix"], "");
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(contents(folder.path(), BROKEN)["plain.md"].contains("\"run()\""), "the others are repaired");
}

#[test]
fn sarif_names_files_as_code_hosts_expect() {
    let repository = TempDir::new().expect("a folder");
    let elsewhere = TempDir::new().expect("a folder");
    write(repository.path(), BROKEN);
    write(elsewhere.path(), &BROKEN[..2]);
    fs::create_dir(repository.path().join(".git")).expect("a folder");
    let outside = elsewhere.path().join("with blanks.md");
    let absolute = repository.path().join("plain.md");
    let (outside, absolute) = (outside.to_str().expect("a name"), absolute.to_str().expect("a name"));
    let arguments = [".", "../windows.md", absolute, outside, "--format", "sarif"];
    let ran = check(&repository.path().join("sub"), &arguments, "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let log: Value = serde_json::from_str(&ran.out).expect("JSON");
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    let uri = |result: &Value| {
        let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        uri.as_str().expect("a URI").to_owned()
    };
    let mut uris: Vec<String> = results.iter().map(uri).collect();
    uris.dedup();
    let file = format!("file://{}", outside.replace(' ', "%20"));
    assert_eq!(
        uris,
        [
            "sub/a%3Ab/%C3%9Cberblick%20%231%20%2520.md",
            "sub/page.mdx",
            "sub/quote%20%22%20and%20%5C.md",
            "windows.md",
            "plain.md",
            file.as_str(),
        ]
    );
    // What GitHub requires beyond the schema.
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for rule in rules {
        for text in ["/id", "/shortDescription/text", "/fullDescription/text", "/help/text"] {
            assert!(
                rule.pointer(text).and_then(Value::as_str).is_some_and(|text| !text.is_empty()),
                "{rule}"
            );
        }
    }
    for result in results {
        let known = |rule: &Value| rule["id"] == result["ruleId"];
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let at = |name: &str| region[name].as_u64().expect("a number");
        assert!(rules.iter().any(known) && result["message"]["text"].is_string(), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")));
        let (start, end) = ((at("startLine"), at("startColumn")), (at("endLine"), at("endColumn")));
        assert!(start >= (1, 1) && start.1 >= 1 && end.1 >= 1 && start <= end, "{region}");
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn github_annotations_are_escaped() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), &[("a, b: 50%.md", BROKEN[0].1)]);
    let ran = check(folder.path(), &[".", "--format", "github"], "");
    assert!(ran.out.starts_with("::error file=a%2C b%3A 50%25.md,line=5,col=5,title="), "{}", ran.out);
}

#[test]
fn standard_input_may_be_markdown() {
    let folder = TempDir::new().expect("a folder");
    let text = BROKEN[0].1;
    let deep = "<Tab>\n      ```mermaid\n      flowchart TD\n        A[run()] --> B\n      ```\n</Tab>\n";
    for (arguments, input, begins) in [
        (&["-"][..], text, "-:5:5: error"),
        (&[], "# A\n\ntext\n", ""),
        (&["--stdin-filename", "docs/a.md"], text, "docs/a.md:5:5: error"),
        (&["--stdin-filename", "a.mdx"], deep, "a.mdx:4:11: error"),
        (&["--stdin-filename", "a.md"], deep, ""),
        (&["--stdin-filename", "a.mmd"], text, "a.mmd:1:1: error"),
    ] {
        let ran = check(folder.path(), arguments, input);
        assert_eq!(ran.code, i32::from(!begins.is_empty()), "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.out.starts_with(begins), "{arguments:?}: {}", ran.out);
    }
    let ran = check(folder.path(), &["-", "--fix"], text);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("Add --diff"), "{}", ran.err);
    let ran = check(folder.path(), &["-", "--fix", "--diff", "--stdin-filename", "a.md"], text);
    assert!(ran.out.starts_with("diff --git a/a.md b/a.md\n--- a/a.md\n+++ b/a.md\n@@ "), "{}", ran.out);
    let ran = check(folder.path(), &["-", "--fix", "--diff", "--format", "json"], text);
    assert_eq!(ran.code, 2, "{}", ran.out);
}

#[test]
fn diagrams_that_are_not_read_are_reported_and_are_no_errors() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), &[("a.mdx", "# A\n\n<Mermaid chart={chart} />\n\n```mermaid\npie\n  \"a\" : 1\n")]);
    let ran = check(folder.path(), &["."], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("./a.mdx:3:1: info MMD091"), "{}", ran.out);
    assert!(ran.out.contains("./a.mdx:5:1: warning MMD090"), "{}", ran.out);
    assert!(ran.err.contains("1 checked, all valid, 1 skipped"), "{}", ran.err);
    let rows: Value =
        serde_json::from_str(&check(folder.path(), &[".", "--format", "json"], "").out).expect("JSON");
    assert_eq!((&rows[0]["valid"], &rows[1]["valid"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(rows[0]["findings"][0]["code"], "MMD091");
}
