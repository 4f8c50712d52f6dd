//! `/api/v1/log-level`: how much the process tells in its log.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{access::Caller, log_level};

/// How much is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLevelReply {
    /// `error`, `warn`, `info`, `debug` or `trace`, or the filter of the configuration.
    #[schema(example = "info")]
    level: String,
}

/// How much is to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevelBody {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    #[schema(example = "debug", pattern = "^(error|warn|info|debug|trace)$")]
    level: String,
}

/// How much this process tells in its log
#[utoipa::path(get, path = "/api/v1/log-level", operation_id = "find_log_level", tag = "operations", responses((status = 200, description = "The level", body = LogLevelReply), Problems))]
pub async fn find_log_level(caller: Caller) -> Result<Json<LogLevelReply>, Pending> {
    Ok(Json(LogLevelReply { level: log_level::find_log_level(&caller)? }))
}

/// Tell more or less in the log
///
/// Of the process that answers, until it ends or reads its configuration again (SIGHUP).
#[utoipa::path(put, path = "/api/v1/log-level", operation_id = "update_log_level", tag = "operations", request_body = LogLevelBody, responses((status = 200, description = "The level from now on", body = LogLevelReply), Problems))]
pub async fn update_log_level(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<LogLevelBody>,
) -> Result<Json<LogLevelReply>, Pending> {
    Ok(Json(LogLevelReply { level: log_level::update_log_level(&shared.app, &caller, &body.level).await? }))
}
