//! Repair of Mermaid text without a model.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{extract::Body, reply::as_json};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::{Caller, Scope},
    check,
};

/// What to repair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairBody {
    /// The Mermaid text; code fences and prose around it are removed.
    #[schema(example = "```mermaid\nflowchart LR\n  a[run()] --> b\n```")]
    code: String,
}

/// The repaired text.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepairReply {
    /// The repaired text, or the original text if nothing of it could be repaired.
    code: String,
    /// Whether Mermaid accepts the text.
    #[schema(example = true)]
    valid: bool,
    /// Whether the text differs from the request.
    #[schema(example = true)]
    changed: bool,
    /// The strongest class of all steps: `none`, `safe`, `lossy` or `needs_author`.
    #[schema(example = "safe")]
    class: &'static str,
    /// The repairs, in order.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
    /// A unified diff.
    diff: String,
    /// What the repair kept: `nodes`, `edges` (ends, direction and label), `labels` and `blocks`.
    #[schema(value_type = Object)]
    kept: Value,
    /// The remaining findings.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
}

/// Repair Mermaid text
///
/// A valid text is returned unchanged. Where a part is left to the author, the rest is repaired: `changed` is true and
/// `valid` is false, and `findings` lists what is left.
#[utoipa::path(
    post,
    path = "/api/v1/repair",
    tag = "check",
    request_body = RepairBody,
    responses(
        (status = 200, description = "The repaired text", body = RepairReply),
        Problems,
    )
)]
pub async fn repair_code(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<RepairBody>,
) -> Result<Json<RepairReply>, ProblemResponse> {
    caller.require_scope(Scope::Generate)?;
    let repaired = check::repair_code(&state.app, body.code).await?;
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
