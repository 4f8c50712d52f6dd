//! Documentation must be correct: generated pages, and every path and command in a document.
//!
//! `cargo xtask codegen` regenerates the pages.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::{BINARY, Server};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "decides whether the pages are written or compared")]
fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Checks that the file has exactly this content, or writes it.
fn check(file: &str, expected: &str) {
    if updating() {
        fs::write(root().join(file), expected).expect("written");
        return;
    }
    assert!(read(file) == expected, "{file} is not current; run `cargo xtask codegen`");
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).arg("--help").env_clear().output().expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn command_line_reference_is_current() {
    let mut page = String::from("# Command line\n\nMade by `cargo xtask codegen`; do not edit.\n");
    let top = help(&[]);
    let commands =
        top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let below = ["user add", "token create", "db move", "secrets generate", "secrets rotate"];
    for command in [""].into_iter().chain(commands).chain(below) {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let text: String = help(&arguments).lines().map(|line| format!("{}\n", line.trim_end())).collect();
        page.push_str(
            &format!("\n## ba-copilot {command}\n\n```text\n{text}```\n")
                .replace("ba-copilot \n", "ba-copilot\n"),
        );
    }
    check("docs/cli.md", &page);
}

#[test]
fn docs_of_rules_are_current() {
    let mut page = String::from(
        "# Rules\n\nMade by `cargo xtask codegen`; do not edit. `ba-copilot explain CODE` shows one.\n",
    );
    page.push_str(&application::reference_docs::RULES.pages());
    check("docs/rules.md", &page);
}

#[test]
fn docs_of_metrics_are_current() {
    check("docs/metrics.md", &telemetry::metrics_docs::docs_page());
}

#[test]
fn docs_of_settings_are_current() {
    let page = format!(
        "# Settings\n\nMade by `cargo xtask codegen`; do not edit.\n\n```toml\n{}```\n",
        *config::DEFAULT_TOML
    );
    check("docs/config.md", &page);
}

#[test]
fn docs_of_the_api_are_current() {
    let document = serde_json::to_string_pretty(&server::openapi_document()).expect("JSON");
    check("docs/openapi.json", &format!("{document}\n"));
}

#[test]
fn readme_commands_work() {
    let readme = read("README.md");
    // Both commands. The second runs this test; the first builds the program that is used here.
    for command in ["cargo run --release", "cargo xtask test"] {
        assert!(readme.contains(&format!("\n{command}\n")), "README.md does not show `{command}`");
    }
    assert!(read(".ci/run").contains("cargo xtask test"));
    assert!(read("Cargo.toml").contains("default-members = [\"crates/ba-copilot\"]"));
    // The example request and its response.
    let block = |language: &str| {
        let start = format!("```{language}\n");
        readme
            .split(&start)
            .nth(1)
            .and_then(|rest| rest.split("\n```").next())
            .unwrap_or_else(|| panic!("README.md has no {language} block"))
            .to_owned()
    };
    let request = readme
        .split("-d '")
        .nth(1)
        .and_then(|rest| rest.split("'\n").next())
        .expect("a request in README.md");
    let folder = tempfile::TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let (status, body) =
        server.request("POST", "/api/v1/generate/class-diagram", request).expect("an answer");
    assert_eq!(status, 200, "{body}");
    let reply: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let shown: serde_json::Value =
        serde_json::from_str(&block("json")).expect("the answer in README.md is JSON");
    assert_eq!(shown["response"]["detail"], reply["response"]["detail"], "README.md has a different diagram");
    assert_eq!(shown["response"]["summary"], reply["response"]["summary"]);
    assert_eq!(shown["response"]["metadata"]["validated"], reply["response"]["metadata"]["validated"]);
}

/// Every MCP configuration on the page starts or reaches a working server, and the table lists every tool.
#[test]
fn docs_of_mcp_configurations_work() {
    use std::{
        io::{BufRead, BufReader, Write},
        process::Stdio,
    };
    let page = read("docs/mcp.md");
    let hello = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let (mut started, mut reached) = (0, 0);
    for block in page.split("```json\n").skip(1) {
        let block = block.split("```").next().expect("an end");
        let json: serde_json::Value =
            serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        let entry = json
            .get("mcpServers")
            .or(json.get("servers"))
            .and_then(|all| all.get("ba-copilot"))
            .expect("an entry");
        if let Some(url) = entry["url"].as_str() {
            assert!(
                url.starts_with("http://") && url.ends_with("/mcp") && entry["type"] == "http",
                "{block}"
            );
            reached += 1;
            continue;
        }
        assert_eq!(entry["command"], "ba-copilot", "{block}");
        let arguments: Vec<&str> =
            entry["args"].as_array().expect("a list").iter().filter_map(|word| word.as_str()).collect();
        let mut child = Command::new(BINARY)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = child.stdin.take().expect("an input");
        writeln!(input, "{hello}").expect("a line");
        let mut answer = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut answer).expect("an answer");
        drop(input);
        assert!(child.wait().expect("an end").success(), "{block}");
        assert!(answer.contains("\"name\":\"ba-copilot\""), "{answer}");
        started += 1;
    }
    assert!(started >= 4 && reached >= 2, "{started} {reached}");
    let table: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(
        table,
        [
            "validate_mermaid",
            "repair_mermaid",
            "render_mermaid",
            "draft_diagram",
            "compare_diagrams",
            "patch_diagram",
            "explain_finding",
            "list_kinds",
            "validateMermaid"
        ]
    );
}

#[test]
fn documentation_names_every_check_of_doctor() {
    let page = read("docs/doctor.md");
    let named: Vec<&str> = page
        .lines()
        .take_while(|line| *line != "## As JSON")
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(id, _)| id)
        .collect();
    let known: Vec<&str> = operations::doctor::CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(named, known);
    let folded: BTreeSet<&str> = known.iter().copied().collect();
    assert_eq!(folded.len(), known.len(), "an id is used twice");
}
