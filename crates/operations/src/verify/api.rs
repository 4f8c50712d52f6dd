//! Generation and validation of diagrams.

use std::time::Duration;

use serde_json::{Value, json};

use super::{persistence, run::VerifyRun};
use crate::{
    diagnostics::{CheckFailure, CheckResult, ensure, passed},
    server_client::Request,
};

/// Part of the public contract.
const MESSAGE: &str = "Create a simple User class";
const GENERATION_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn generate(run: &mut VerifyRun) -> CheckResult {
    let mut body = json!({"message": MESSAGE});
    // In the project of these checks, if it can be created.
    if let Ok(project) = persistence::project(run).await {
        body["project_id"] = json!(project);
    }
    let request = Request::post("/api/v1/generate/class-diagram", &body).timeout(GENERATION_TIMEOUT);
    let response = run.api(request).await?;
    let json = response.json();
    ensure(json["type"] == "diagram", || format!("The `type` is {}, not \"diagram\".", json["type"]))?;
    run.generated = json["response"].clone();
    ensure(mermaid_code(&run.generated).is_some(), || "The `detail` has no Mermaid fence.".to_owned())?;
    let kind = &run.generated["type"];
    ensure(kind == "class_diagram", || format!("The generated diagram is {kind}, not \"class_diagram\"."))?;
    passed(format!("generated in {} ms", response.elapsed.as_millis()))
}

/// The Mermaid text of a generated diagram.
fn mermaid_code(generated: &Value) -> Option<&str> {
    let code = generated["detail"].as_str()?.split("```mermaid\n").nth(1)?.split("\n```").next()?;
    (!code.trim().is_empty()).then_some(code)
}

pub(super) async fn metadata(run: &mut VerifyRun) -> CheckResult {
    if run.generated.is_null() {
        return Err(CheckFailure::skipped("No diagram was generated."));
    }
    let metadata = &run.generated["metadata"];
    let Some(validated) = metadata["validated"].as_bool() else {
        return Err(CheckFailure::failed("The `metadata` has no `validated`."));
    };
    let Some(retries) = metadata["retry_count"].as_u64() else {
        return Err(CheckFailure::failed("The `metadata` has no `retry_count`."));
    };
    let warning = metadata["warning"].as_str().map(|warning| format!(" ({warning})")).unwrap_or_default();
    passed(format!("validated: {validated}, retries: {retries}{warning}"))
}

async fn check(run: &VerifyRun, code: &str) -> Result<Value, CheckFailure> {
    let response = run.api(Request::post("/api/v1/validate", &json!({"code": code}))).await?;
    Ok(response.json())
}

fn accepted(verdict: &Value) -> CheckResult {
    match verdict["valid"].as_bool() {
        Some(true) => passed(format!("accepted, as {}", verdict["kind"].as_str().unwrap_or("a diagram"))),
        Some(false) => {
            let first = verdict["findings"][0]["message"].as_str().unwrap_or("no reason is given");
            Err(CheckFailure::failed(format!("It was rejected: {first}")))
        }
        None => Err(CheckFailure::failed("The response has no `valid`.")),
    }
}

pub(super) async fn drawn(run: &mut VerifyRun) -> CheckResult {
    let Some(code) = mermaid_code(&run.generated) else {
        return Err(CheckFailure::skipped("No diagram was generated."));
    };
    accepted(&check(run, code).await?)
}

pub(super) async fn accepts(run: &mut VerifyRun) -> CheckResult {
    accepted(&check(run, "sequenceDiagram\n  Customer->>Shop: order").await?)
}

pub(super) async fn rejects(run: &mut VerifyRun) -> CheckResult {
    let verdict = check(run, "flowchart LR\n  a --> --> ]]").await?;
    match verdict["valid"].as_bool() {
        Some(false) if verdict["findings"][0]["code"].is_string() => {
            passed(format!("rejected, with {}", verdict["findings"][0]["code"].as_str().unwrap_or_default()))
        }
        Some(false) => Err(CheckFailure::failed("It was rejected without a finding that says why.")),
        Some(true) => Err(CheckFailure::failed("It was accepted.")),
        None => Err(CheckFailure::failed("The response has no `valid`.")),
    }
}
