//! Schemathesis against the real program: thousands of requests generated from the OpenAPI document, and only
//! documented responses. `cargo xtask test` installs schemathesis.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use test_support::skip;

use crate::process::Server;

#[test]
fn every_response_conforms_to_the_openapi_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../../target/mcp-tools/venv/bin/schemathesis");
    if !program.is_file() {
        skip("schemathesis is not installed; `cargo xtask test` installs it into target/mcp-tools");
        return;
    }
    let (data, folder) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let server = Server::start(data.path(), &[]);
    let output = Command::new(program)
        .arg("--config-file")
        .arg(root.join("tests/mcp/schemathesis.toml"))
        .args(["run", "--seed", "7", "--max-examples", "15", "--phases", "examples,coverage,fuzzing"])
        .arg(format!("http://{}/openapi.json", server.address))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Test cases:"), "{said}");
    // The server is still healthy, and its log has no content of requests.
    assert_eq!(server.request("GET", "/health", "").expect("health").0, 200);
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
}
