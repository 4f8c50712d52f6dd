//! Health, probes and metrics.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    http::error::{Problem, ProblemResponse},
    state::AppState,
};
use application::{health::Status, runtime_metrics};

/// The health of the product.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReply {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Version of the program.
    version: &'static str,
    /// Name of the build or deployment, from `server.release`.
    #[serde(skip_serializing_if = "String::is_empty")]
    release: String,
    /// Seconds since the start of the process.
    uptime_s: i64,
    /// The status of each part.
    #[schema(value_type = Object)]
    checks: Value,
}

/// Get the health of the product
#[utoipa::path(
    get,
    path = "/health",
    tag = "operations",
    responses(
        (status = 200, description = "`healthy` or `degraded`", body = HealthReply),
        (status = 503, description = "`unhealthy`", body = HealthReply),
    )
)]
pub async fn find_health(State(state): State<AppState>) -> Response {
    let health = state.probes.health(&state.app).await;
    let uptime_us = state.app.clock.now_us().as_micros() - state.app.started_us.as_micros();
    let reply = HealthReply {
        status: health.status.word(),
        version: env!("CARGO_PKG_VERSION"),
        release: state.app.config.server.release.clone(),
        uptime_s: uptime_us / 1_000_000,
        checks: health.checks,
    };
    let status =
        if health.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(reply)).into_response()
}

/// Check that the process runs
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = 200, description = "The process runs")),
)]
pub async fn find_livez() -> &'static str {
    "ok\n"
}

/// Check that the process accepts requests
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "The process accepts requests"),
        (
            status = 503,
            description = "The process does not accept requests",
            body = Problem,
            content_type = "application/problem+json",
        ),
    ),
)]
pub async fn find_readyz(State(state): State<AppState>) -> Result<&'static str, ProblemResponse> {
    if state.leaving.is_cancelled() || state.draining.is_cancelled() {
        return Err(ProblemResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "draining",
            "The server is shutting down. Send requests to another process.",
        ));
    }
    if state.standby.is_on() {
        return Err(ProblemResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "standby",
            "The server is on standby. Send requests to the active process.",
        ));
    }
    match state.probes.health(&state.app).await.status {
        Status::Unhealthy => Err(ProblemResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unhealthy",
            "A required part does not work. /health names it.",
        )),
        Status::Healthy | Status::Degraded => Ok("ok\n"),
    }
}

/// Check that the start is complete
#[utoipa::path(
    get,
    path = "/startupz",
    tag = "operations",
    responses((status = 200, description = "The start is complete")),
)]
pub async fn find_startupz() -> &'static str {
    "ok\n"
}

/// Get the metrics for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses(
        (
            status = 200,
            description = "Metrics in the Prometheus text format",
            body = String,
            content_type = "text/plain",
        ),
    ),
)]
pub async fn find_metrics(State(state): State<AppState>) -> Result<Response, ProblemResponse> {
    match &state.metrics {
        Some(metrics) => {
            runtime_metrics::measure(&state.app, &state.probes).await;
            let text = telemetry::render(metrics);
            Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
        }
        None => Err(ProblemResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_metrics",
            "The metrics recorder could not be installed at start. The log has the reason.",
        )),
    }
}
