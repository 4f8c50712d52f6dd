//! Validation of Mermaid text.

use axum::{Json, extract::State};
use mermend::{Engine, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{extract::Body, reply::as_json};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    Error,
    access::{Caller, Scope},
    check::{self, CheckResult},
};

/// What to validate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateBody {
    /// The Mermaid text.
    #[schema(example = "flowchart LR\n  a[run()] --> b")]
    code: String,
    /// Reserved for the viewer that must show the diagram. Not supported yet: a request with it is refused.
    target: Option<String>,
    /// `mermaid` (default) or `fast`.
    #[schema(example = "mermaid")]
    engine: Option<String>,
}

/// The verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidateReply {
    /// Whether Mermaid accepts the text.
    #[schema(example = false)]
    valid: bool,
    /// `valid`, `invalid`, or `unknown` if a limit was reached or the engine did not run.
    #[schema(example = "invalid")]
    verdict: &'static str,
    /// Kind of the diagram.
    #[schema(example = "flowchart")]
    kind: Option<&'static str>,
    /// Findings in the text.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// The verdict of each engine.
    #[schema(value_type = Object)]
    engines: Value,
    /// Reserved for the verdicts of viewers; always empty.
    #[schema(value_type = Object)]
    targets: Value,
    /// Which process gave the verdict: this one or the configured MCP server.
    #[schema(value_type = Object)]
    validator: Value,
    /// Whether the verdict was cached.
    cached: bool,
}

/// Validate Mermaid text
#[utoipa::path(
    post,
    path = "/api/v1/validate",
    tag = "check",
    request_body = ValidateBody,
    responses(
        (status = 200, description = "The verdict; an invalid diagram is a normal answer", body = ValidateReply),
        Problems,
    )
)]
pub async fn validate_code(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ValidateBody>,
) -> Result<Json<ValidateReply>, ProblemResponse> {
    caller.require_scope(Scope::Generate)?;
    let engine = match body.engine.as_deref() {
        None | Some("mermaid") => Engine::Mermaid,
        Some("fast") => Engine::Fast,
        Some(_) => {
            return Err(Error::invalid("engine", "There is no such engine; use mermaid or fast.").into());
        }
    };
    check::refuse_target(body.target.as_deref())?;
    let CheckResult { checked, by } = check::check_code(&state.app, body.code, engine).await?;
    let mut engines = Map::new();
    let mut put = |name: &str, verdict: &Option<Verdict>, version: Option<&str>| {
        let Some(verdict) = verdict else { return };
        let mut entry = json!({"valid": verdict.valid(), "ms": verdict.micros as f64 / 1000.0});
        if let Some(version) = version {
            entry["version"] = json!(version);
        }
        engines.insert(name.to_owned(), entry);
    };
    put("mermaid", &checked.mermaid, by.version.as_deref());
    put("fast", &checked.fast, None);
    Ok(Json(ValidateReply {
        valid: checked.valid,
        verdict: checked.verdict(),
        kind: checked.kind.map(|kind| kind.id),
        findings: as_json(&checked.findings),
        engines: Value::Object(engines),
        targets: json!({}),
        validator: by.to_json(),
        cached: checked.mermaid.as_ref().is_some_and(|verdict| verdict.cached),
    }))
}
