//! `/api/v1/log-level`: the log level of the process.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{access::Caller, log_level};

/// The log level.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLevelReply {
    /// `error`, `warn`, `info`, `debug` or `trace`, or the filter of the configuration.
    #[schema(example = "info")]
    level: String,
}

/// The log level to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevelBody {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    #[schema(example = "debug", pattern = "^(error|warn|info|debug|trace)$")]
    level: String,
}

/// Get the log level of this process
#[utoipa::path(
    get,
    path = "/api/v1/log-level",
    tag = "operations",
    responses((status = 200, description = "The log level", body = LogLevelReply), Problems),
)]
pub async fn find_log_level(caller: Caller) -> Result<Json<LogLevelReply>, ProblemResponse> {
    Ok(Json(LogLevelReply { level: log_level::find_log_level(&caller)? }))
}

/// Set the log level of this process
///
/// Applies to the process that answers, until it ends or reloads its configuration (SIGHUP).
#[utoipa::path(
    put,
    path = "/api/v1/log-level",
    tag = "operations",
    request_body = LogLevelBody,
    responses((status = 200, description = "The new log level", body = LogLevelReply), Problems),
)]
pub async fn update_log_level(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<LogLevelBody>,
) -> Result<Json<LogLevelReply>, ProblemResponse> {
    Ok(Json(LogLevelReply { level: log_level::update_log_level(&state.app, &caller, &body.level).await? }))
}
