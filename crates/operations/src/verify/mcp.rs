//! MCP over HTTP.

use reqwest::header::{ACCEPT, HeaderName};
use serde_json::{Value, json};

use super::run::VerifyRun;
use crate::{
    diagnostics::{CheckFailure, CheckResult, ensure, passed},
    server_client::Request,
};

const PROTOCOL_VERSION: &str = "2025-11-25";

pub(super) async fn mcp(run: &mut VerifyRun) -> CheckResult {
    let client = json!({"name": "ba-copilot-verify", "version": env!("CARGO_PKG_VERSION")});
    let params = json!({"protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": client});
    let initialized = call(run, "initialize", params).await?;
    let name = initialized["serverInfo"]["name"].as_str();
    let name = name.ok_or_else(|| CheckFailure::failed("`initialize` does not name the server."))?;
    let listed = call(run, "tools/list", json!({})).await?;
    let tools = listed["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure(tools.iter().any(|tool| tool["name"] == "validate_mermaid"), || {
        "`tools/list` has no `validate_mermaid`.".to_owned()
    })?;
    for (code, valid) in [("flowchart LR\n  a --> b", true), ("flowchart LR\n  a --> --> ]]", false)] {
        let arguments = json!({"name": "validate_mermaid", "arguments": {"code": code}});
        let verdict = call(run, "tools/call", arguments).await?;
        let answer = &verdict["structuredContent"]["valid"];
        ensure(answer == valid, || {
            let kind = if valid { "valid" } else { "invalid" };
            format!("`validate_mermaid` answers that `valid` is {answer} for a {kind} diagram.")
        })?;
    }
    passed(format!("{name} with {} tools", tools.len()))
}

async fn call(run: &VerifyRun, method: &str, params: Value) -> Result<Value, CheckFailure> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = Request::post("/mcp", &body)
        .with_header(ACCEPT, "application/json, text/event-stream")
        .with_header(HeaderName::from_static("mcp-protocol-version"), PROTOCOL_VERSION);
    let response = run.client.send(request).await?;
    let skipped = |reason: &str| Err(CheckFailure::skipped(reason));
    match (response.status, run.client.has_token()) {
        (404, _) => return skipped("/mcp is not served at this address."),
        (401, false) => {
            return skipped("/mcp requires a token: set VERIFY_TOKEN, or use --token.");
        }
        (403, false) => return skipped("/mcp is not open to this machine."),
        (401, true) => return Err(CheckFailure::failed("/mcp rejects the token.")),
        (200, _) => (),
        (status, _) => return Err(CheckFailure::failed(format!("`{method}` was answered with {status}."))),
    }
    // One response, as JSON or as an event.
    let text =
        response.body.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(&response.body);
    let mut reply: Value = serde_json::from_str(text).unwrap_or_default();
    match reply["error"]["message"].as_str() {
        Some(error) => Err(CheckFailure::failed(format!("`{method}` failed: {error}"))),
        None if reply["result"].is_object() => Ok(reply["result"].take()),
        None => Err(CheckFailure::failed(format!("The answer to `{method}` is not MCP."))),
    }
}
