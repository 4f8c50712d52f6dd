//! `/api/v1/me/recovery-codes`.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{extract::Body, proof::ProofBody};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{access::Caller, accounts::recovery};

/// Recovery codes, shown only once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesReply {
    /// Each code replaces one code of your authenticator app, once. Store them apart from the device with the app.
    #[schema(example = json!(["abcd-efgh-jkmn-2345"]))]
    recovery_codes: Vec<String>,
}

impl RecoveryCodesReply {
    pub(super) fn from_codes(recovery_codes: Vec<String>) -> Json<Self> {
        Json(RecoveryCodesReply { recovery_codes })
    }
}

/// The number of unused recovery codes.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesLeftReply {
    /// Number of codes that have not been used.
    #[schema(example = 10)]
    left: u32,
}

/// Count your unused recovery codes
#[utoipa::path(
    get,
    path = "/api/v1/me/recovery-codes",
    tag = "accounts",
    responses((status = 200, description = "The number of unused codes", body = RecoveryCodesLeftReply), Problems),
)]
pub async fn count_recovery_codes(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<RecoveryCodesLeftReply>, ProblemResponse> {
    let left = recovery::count_recovery_codes(&state.app, &caller).await?;
    Ok(Json(RecoveryCodesLeftReply { left }))
}

/// Create ten recovery codes
///
/// The previous codes become invalid. Requires your password or a code. If you have no password, you must have signed
/// in within the last 10 minutes. Not possible with a token.
#[utoipa::path(
    post,
    path = "/api/v1/me/recovery-codes",
    tag = "accounts",
    request_body = ProofBody,
    responses((status = 201, description = "The codes, shown only once", body = RecoveryCodesReply), Problems),
)]
pub async fn create_recovery_codes(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ProofBody>,
) -> Result<(StatusCode, Json<RecoveryCodesReply>), ProblemResponse> {
    let codes = recovery::create_recovery_codes(&state.app, &caller, body.into()).await?;
    Ok((StatusCode::CREATED, RecoveryCodesReply::from_codes(codes)))
}
