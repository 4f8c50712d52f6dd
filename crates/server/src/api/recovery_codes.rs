//! `/api/v1/me/recovery-codes`: what is good once instead of a code of the second factor.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::account::ProofBody;
use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{access::Caller, accounts::recovery};

/// Your recovery codes. They are shown this once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesReply {
    /// Each is good once instead of a code of your app. Keep them where your telephone is not.
    #[schema(example = json!(["abcd-efgh-jkmn-2345"]))]
    recovery_codes: Vec<String>,
}

impl RecoveryCodesReply {
    pub(super) fn of(recovery_codes: Vec<String>) -> Json<Self> {
        Json(RecoveryCodesReply { recovery_codes })
    }
}

/// How many there are.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesLeftReply {
    /// How many codes have not been used.
    #[schema(example = 10)]
    left: u32,
}

/// How many recovery codes you have left
#[utoipa::path(get, path = "/api/v1/me/recovery-codes", operation_id = "count_recovery_codes", tag = "accounts", responses((status = 200, description = "How many", body = RecoveryCodesLeftReply), Problems))]
pub async fn count_recovery_codes(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<RecoveryCodesLeftReply>, Pending> {
    let left = recovery::count_recovery_codes(&shared.app, &caller).await?;
    Ok(Json(RecoveryCodesLeftReply { left }))
}

/// Get ten new recovery codes
///
/// Those of before do not work any more. Takes your password or a code; if you have no password, you must have signed in within the last 10
/// minutes. Not possible with a token.
#[utoipa::path(post, path = "/api/v1/me/recovery-codes", operation_id = "create_recovery_codes", tag = "accounts", request_body = ProofBody, responses((status = 201, description = "The codes, shown this once", body = RecoveryCodesReply), Problems))]
pub async fn create_recovery_codes(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ProofBody>,
) -> Result<(StatusCode, Json<RecoveryCodesReply>), Pending> {
    let codes = recovery::create_recovery_codes(&shared.app, &caller, body.into()).await?;
    Ok((StatusCode::CREATED, RecoveryCodesReply::of(codes)))
}
