//! `POST /api/v1/repair`: mend Mermaid text without a model, and say what was done.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Shared,
    api::as_json,
    http::error::{Body, Pending},
};
use application::{
    access::{Caller, Scope},
    check,
};

/// What to repair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairBody {
    /// The Mermaid text, fences and prose around it included.
    #[schema(example = "```mermaid\nflowchart LR\n  a[run()] --> b\n```")]
    code: String,
}

/// The repaired text.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairReply {
    /// The text: repaired, or as it was if it could not be.
    code: String,
    /// Mermaid accepts it.
    #[schema(example = true)]
    valid: bool,
    /// It differs from what was sent.
    #[schema(example = true)]
    changed: bool,
    /// `none`, `safe`, `lossy` or `needs_author`: the most that any step did.
    #[schema(example = "safe")]
    class: &'static str,
    /// What was done, in order.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
    /// A unified diff.
    diff: String,
    /// What the repair kept.
    #[schema(value_type = Object)]
    kept: Value,
    /// What is left to say.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
}

/// Repair Mermaid text
///
/// A text that is valid already comes back as it is.
#[utoipa::path(
    post,
    path = "/api/v1/repair",
    operation_id = "repair_code",
    tag = "check",
    request_body = RepairBody,
    responses(
        (status = 200, description = "The repaired text", body = RepairReply),
        crate::Problems,
    )
)]
pub async fn repair_code(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<RepairBody>,
) -> Result<Json<RepairReply>, Pending> {
    caller.require_scope(Scope::Generate)?;
    let repaired = check::repair_code(&shared.app, body.code).await?;
    Ok(Json(RepairReply {
        class: check::class_word(&repaired),
        valid: repaired.valid,
        changed: repaired.changed,
        steps: as_json(&repaired.steps),
        kept: as_json(&repaired.kept),
        findings: as_json(&repaired.findings),
        diff: repaired.diff,
        code: repaired.code,
    }))
}
