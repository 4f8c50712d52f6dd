//! `POST /api/v1/validate`: is this Mermaid, and if not, where and why not.

use axum::{Json, extract::State};
use mermend::{Engine, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    Shared,
    api::as_json,
    http::error::{Body, Pending},
};
use application::{
    Error,
    access::{Caller, Scope},
    check::{self, CheckResult},
};

/// What to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateBody {
    /// The Mermaid text.
    #[schema(example = "flowchart LR\n  a[run()] --> b")]
    code: String,
    /// The viewer that must show it. This version checks against one Mermaid and says so.
    target: Option<String>,
    /// `mermaid` (the default) or `fast`.
    #[schema(example = "mermaid")]
    engine: Option<String>,
}

/// The verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidateReply {
    /// Mermaid accepts the text.
    #[schema(example = false)]
    valid: bool,
    /// What kind of diagram it is.
    #[schema(example = "flowchart")]
    kind: Option<&'static str>,
    /// What to know about it.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// What each engine said.
    #[schema(value_type = Object)]
    engines: Value,
    /// What viewers would say.
    #[schema(value_type = Object)]
    targets: Value,
    /// Who gave the verdict: this process, or the MCP server it is configured to ask.
    #[schema(value_type = Object)]
    validator: Value,
    /// The verdict was known already.
    cached: bool,
}

/// Check Mermaid text
#[utoipa::path(
    post,
    path = "/api/v1/validate",
    operation_id = "validate_code",
    tag = "check",
    request_body = ValidateBody,
    responses(
        (status = 200, description = "The verdict; an invalid diagram is a normal answer", body = ValidateReply),
        crate::Problems,
    )
)]
pub async fn validate_code(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ValidateBody>,
) -> Result<Json<ValidateReply>, Pending> {
    caller.require_scope(Scope::Generate)?;
    let engine = match body.engine.as_deref() {
        None | Some("mermaid") => Engine::Mermaid,
        Some("fast") => Engine::Fast,
        Some(_) => {
            return Err(Error::invalid("engine", "There is no such engine; use mermaid or fast.").into());
        }
    };
    let targets = check::targets(body.target.as_deref());
    let CheckResult { checked, by } = check::check_code(&shared.app, body.code, engine).await?;
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
        kind: checked.kind.map(|kind| kind.id),
        findings: as_json(&checked.findings),
        engines: Value::Object(engines),
        targets,
        validator: by.to_json(),
        cached: checked.mermaid.as_ref().is_some_and(|verdict| verdict.cached),
    }))
}
