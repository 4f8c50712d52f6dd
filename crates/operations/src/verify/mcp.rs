//! MCP, as an agent over HTTP speaks it.

use reqwest::header::{ACCEPT, HeaderName};
use serde_json::{Value, json};

use super::{Came, Not, Question, Visit, holds};

const REVISION: &str = "2025-11-25";

pub(super) async fn mcp(visit: &mut Visit) -> Came {
    let client = json!({"name": "ba-copilot-verify", "version": env!("CARGO_PKG_VERSION")});
    let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client});
    let hello = call(visit, "initialize", hello).await?;
    let name = hello["serverInfo"]["name"].as_str();
    let name = name.ok_or_else(|| Not::Well("`initialize` does not name the server.".to_owned()))?;
    let listed = call(visit, "tools/list", json!({})).await?;
    let tools = listed["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    holds(tools.iter().any(|tool| tool["name"] == "validate_mermaid"), || {
        "`tools/list` has no `validate_mermaid`.".to_owned()
    })?;
    for (code, valid) in [("flowchart LR\n  a --> b", true), ("flowchart LR\n  a --> --> ]]", false)] {
        let arguments = json!({"name": "validate_mermaid", "arguments": {"code": code}});
        let verdict = call(visit, "tools/call", arguments).await?;
        let said = &verdict["structuredContent"]["valid"];
        holds(said == valid, || {
            let kind = if valid { "good" } else { "bad" };
            format!("`validate_mermaid` says of a {kind} diagram that `valid` is {said}.")
        })?;
    }
    Ok(format!("{name} with {} tools", tools.len()))
}

async fn call(visit: &Visit, method: &str, params: Value) -> Result<Value, Not> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let question = Question::post("/mcp", &body)
        .with(ACCEPT, "application/json, text/event-stream")
        .with(HeaderName::from_static("mcp-protocol-version"), REVISION);
    let answer = visit.target.ask(question).await?;
    let not_open = |why: &str| Err(Not::Possible(why.to_owned()));
    match (answer.status, visit.target.has_token()) {
        (404, _) => return not_open("/mcp is not served at this address."),
        (401, false) => {
            return not_open("/mcp asks for a token, and none was given: set VERIFY_TOKEN, or use --token.");
        }
        (403, false) => return not_open("/mcp is not open to this machine."),
        (401, true) => return Err(Not::Well("/mcp does not know the token that was given.".to_owned())),
        (200, _) => (),
        (status, _) => return Err(Not::Well(format!("`{method}` was answered with {status}."))),
    }
    // One answer, as JSON or as an event.
    let text = answer.body.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(&answer.body);
    let mut reply: Value = serde_json::from_str(text).unwrap_or_default();
    match reply["error"]["message"].as_str() {
        Some(error) => Err(Not::Well(format!("`{method}` failed: {error}"))),
        None if reply["result"].is_object() => Ok(reply["result"].take()),
        None => Err(Not::Well(format!("`{method}` was answered with something that is not MCP."))),
    }
}
