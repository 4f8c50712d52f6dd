//! Comparison of two diagrams, and changes to one by typed operations.

use axum::{Json, extract::State};
use mermend::{Change, How, Operation, OutlinePart};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{extract::Body, reply::as_json};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    Error,
    access::{Caller, Scope},
    check, diagrams,
};

/// Two diagrams.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareBody {
    /// The old Mermaid text.
    #[schema(example = "classDiagram\n    class Order")]
    old: String,
    /// The new Mermaid text.
    #[schema(example = "classDiagram\n    class Order\n    class Customer")]
    new: String,
}

/// A change of one element.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeReply {
    /// Id of the element in the text; for a line the two ids that it joins.
    #[schema(example = "Customer")]
    element: String,
    /// `node`, `edge`, `group` or `member`.
    #[schema(value_type = String, example = "node")]
    part: OutlinePart,
    /// `added`, `removed` or `changed`.
    #[schema(value_type = String, example = "added")]
    change: How,
    /// The change in a sentence.
    #[schema(example = "The box `Customer` is new.")]
    sentence: String,
    /// How it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl From<Change> for ChangeReply {
    fn from(change: Change) -> Self {
        ChangeReply {
            element: change.id,
            part: change.element,
            change: change.how,
            sentence: change.message,
            before: change.before,
            after: change.after,
        }
    }
}

/// What changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompareReply {
    /// Whether both say the same. Order, layout and comments do not count.
    same: bool,
    /// Whether elements were compared. If not, lines were, and only `diff` says what changed.
    by_element: bool,
    /// The changes in the order of the new diagram, removed elements last.
    changes: Vec<ChangeReply>,
    /// How many more changes there are.
    more_changes: usize,
    /// A unified diff of the texts.
    diff: String,
}

/// Compare two diagrams
#[utoipa::path(
    post,
    path = "/api/v1/compare",
    tag = "check",
    request_body = CompareBody,
    responses((status = 200, description = "The changes, by element", body = CompareReply), Problems)
)]
pub async fn compare_diagrams(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<CompareBody>,
) -> Result<Json<CompareReply>, ProblemResponse> {
    caller.require_scope(Scope::Generate)?;
    let compared = check::compare_code(&state.app, body.old, body.new).await?;
    Ok(Json(CompareReply {
        same: compared.same,
        by_element: compared.by_element,
        changes: compared.changes.into_iter().map(ChangeReply::from).collect(),
        more_changes: compared.more_changes,
        diff: compared.diff,
    }))
}

/// Operations on a diagram: `code` or `diagram_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchBody {
    /// The Mermaid text of a flowchart or class diagram.
    #[schema(example = "classDiagram\n    class Order")]
    code: Option<String>,
    /// Id of a stored diagram, whose newest version is patched. Nothing is stored.
    diagram_id: Option<String>,
    /// The operations, in order. All of them are carried out, or none.
    #[schema(value_type = Vec<Object>, example = json!([{"op": "add_node", "id": "Customer"}]))]
    operations: Vec<Operation>,
}

/// The changed text.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatchReply {
    /// The changed text. To keep it, create a version with it.
    #[schema(example = "classDiagram\n    class Order\n    class Customer\n")]
    code: String,
    /// Whether Mermaid accepts it.
    #[schema(example = true)]
    valid: bool,
    /// The changes by element.
    changes: Vec<ChangeReply>,
    /// Findings in the changed text.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// A unified diff of the texts.
    diff: String,
    /// Number of the stored version that was patched.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

/// Change a diagram by typed operations
///
/// Everything else in the text stays as it is: styles, comments, order.
#[utoipa::path(
    post,
    path = "/api/v1/patch",
    tag = "check",
    request_body = PatchBody,
    responses((status = 200, description = "The changed text, which is not stored", body = PatchReply), Problems)
)]
pub async fn patch_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<PatchBody>,
) -> Result<Json<PatchReply>, ProblemResponse> {
    caller.require_scope(Scope::Generate)?;
    let (code, version) = match (body.code, body.diagram_id) {
        (Some(code), None) => (code, None),
        (None, Some(id)) => {
            let (_, newest) = diagrams::find_diagram(&state.app, &caller, &id).await?;
            (newest.mermaid, Some(newest.number))
        }
        _ => {
            let either =
                "Send either `code` or `diagram_id`: the text to change, or the diagram that has it.";
            return Err(Error::invalid("code", either).into());
        }
    };
    let patched = check::patch_code(&state.app, code, body.operations).await?;
    Ok(Json(PatchReply {
        valid: patched.checked.valid,
        findings: as_json(&patched.checked.findings),
        changes: patched.changes.into_iter().map(ChangeReply::from).collect(),
        diff: patched.diff,
        code: patched.code,
        version,
    }))
}
