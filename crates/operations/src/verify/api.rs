//! The main job: a diagram is drawn and checked.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Came, Not, Question, Visit, holds, persistence};

/// What is to be drawn; part of the contract.
const MESSAGE: &str = "Create a simple User class";
/// Drawing may take so long.
const DRAW_TIME: Duration = Duration::from_secs(30);

pub(super) async fn generate(visit: &mut Visit) -> Came {
    let mut body = json!({"message": MESSAGE});
    // Beside other things that checks wrote, if it can be; wherever diagrams go, if not.
    if let Ok(project) = persistence::project(visit).await {
        body["project_id"] = json!(project);
    }
    let question = Question::post("/api/v1/generate/class-diagram", &body).within(DRAW_TIME);
    let answer = visit.api(question).await?;
    let json = answer.json();
    holds(json["type"] == "diagram", || format!("The `type` is {}, not \"diagram\".", json["type"]))?;
    visit.drawn = json["response"].clone();
    holds(fenced(&visit.drawn).is_some(), || "The `detail` has no Mermaid fence.".to_owned())?;
    let kind = &visit.drawn["type"];
    holds(kind == "class_diagram", || format!("What was drawn is {kind}, not \"class_diagram\"."))?;
    Ok(format!("drawn in {} ms", answer.took.as_millis()))
}

/// The Mermaid text of what was drawn.
fn fenced(drawn: &Value) -> Option<&str> {
    let code = drawn["detail"].as_str()?.split("```mermaid\n").nth(1)?.split("\n```").next()?;
    (!code.trim().is_empty()).then_some(code)
}

pub(super) async fn metadata(visit: &mut Visit) -> Came {
    if visit.drawn.is_null() {
        return Err(Not::Possible("Nothing was drawn.".to_owned()));
    }
    let metadata = &visit.drawn["metadata"];
    let Some(validated) = metadata["validated"].as_bool() else {
        return Err(Not::Well("The `metadata` has no `validated`.".to_owned()));
    };
    let Some(retries) = metadata["retry_count"].as_u64() else {
        return Err(Not::Well("The `metadata` has no `retry_count`.".to_owned()));
    };
    let warning = metadata["warning"].as_str().map(|warning| format!(" ({warning})")).unwrap_or_default();
    Ok(format!("validated: {validated}, retries: {retries}{warning}"))
}

async fn check(visit: &Visit, code: &str) -> Result<Value, Not> {
    let answer = visit.api(Question::post("/api/v1/validate", &json!({"code": code}))).await?;
    Ok(answer.json())
}

/// Whether a diagram was accepted, or the first thing that was found.
fn accepted(verdict: &Value) -> Came {
    match verdict["valid"].as_bool() {
        Some(true) => Ok(format!("accepted, as {}", verdict["kind"].as_str().unwrap_or("a diagram"))),
        Some(false) => {
            let first = verdict["findings"][0]["message"].as_str().unwrap_or("no reason is given");
            Err(Not::Well(format!("It was rejected: {first}")))
        }
        None => Err(Not::Well("The answer has no `valid`.".to_owned())),
    }
}

pub(super) async fn drawn(visit: &mut Visit) -> Came {
    let Some(code) = fenced(&visit.drawn) else {
        return Err(Not::Possible("Nothing was drawn.".to_owned()));
    };
    accepted(&check(visit, code).await?)
}

pub(super) async fn accepts(visit: &mut Visit) -> Came {
    accepted(&check(visit, "sequenceDiagram\n  Customer->>Shop: order").await?)
}

pub(super) async fn rejects(visit: &mut Visit) -> Came {
    let verdict = check(visit, "flowchart LR\n  a --> --> ]]").await?;
    match verdict["valid"].as_bool() {
        Some(false) if verdict["findings"][0]["code"].is_string() => {
            Ok(format!("rejected, with {}", verdict["findings"][0]["code"].as_str().unwrap_or_default()))
        }
        Some(false) => Err(Not::Well("It was rejected without a finding that says why.".to_owned())),
        Some(true) => Err(Not::Well("It was accepted.".to_owned())),
        None => Err(Not::Well("The answer has no `valid`.".to_owned())),
    }
}
