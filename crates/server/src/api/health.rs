//! Health and metrics: for people, for orchestrators and for Prometheus.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Shared, http::error::Pending};
use application::{health::Status, runtime_metrics};
use telemetry;

/// How the product is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReply {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Version of the program.
    version: &'static str,
    /// Which build or deployment of that version, if it was told (`server.release`).
    #[serde(skip_serializing_if = "String::is_empty")]
    release: String,
    /// Seconds since it was started.
    uptime_s: i64,
    /// Each part.
    #[schema(value_type = Object)]
    checks: Value,
}

/// How the product is
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "find_health",
    tag = "operations",
    responses(
        (status = 200, description = "healthy or degraded", body = HealthReply),
        (status = 503, description = "unhealthy", body = HealthReply),
    )
)]
pub async fn find_health(State(shared): State<Shared>) -> Response {
    let health = shared.probes.health(&shared.app).await;
    let uptime_us = shared.app.clock.now_us().as_micros() - shared.app.started_us.as_micros();
    let reply = HealthReply {
        status: health.status.word(),
        version: env!("CARGO_PKG_VERSION"),
        release: shared.app.config.server.release.clone(),
        uptime_s: uptime_us / 1_000_000,
        checks: health.checks,
    };
    let status =
        if health.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(reply)).into_response()
}

/// The process runs
#[utoipa::path(get, path = "/livez", operation_id = "find_livez", tag = "operations", responses((status = 200, description = "It runs")))]
pub async fn find_livez() -> &'static str {
    "ok\n"
}

/// Requests may be sent here
#[utoipa::path(get, path = "/readyz", operation_id = "find_readyz", tag = "operations", responses((status = 200, description = "Send requests"), (status = 503, description = "Send none", body = crate::Problem, content_type = "application/problem+json")))]
pub async fn find_readyz(State(shared): State<Shared>) -> Result<&'static str, Pending> {
    if shared.leaving.is_cancelled() || shared.draining.is_cancelled() {
        return Err(Pending::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "draining",
            "The server is ending; send requests elsewhere.",
        ));
    }
    if shared.standby.is_on() {
        return Err(Pending::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "standby",
            "The server stands by; another one serves.",
        ));
    }
    match shared.probes.health(&shared.app).await.status {
        Status::Unhealthy => Err(Pending::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unhealthy",
            "A part that is needed does not work; /health names it.",
        )),
        Status::Healthy | Status::Degraded => Ok("ok\n"),
    }
}

/// The start is over
#[utoipa::path(get, path = "/startupz", operation_id = "find_startupz", tag = "operations", responses((status = 200, description = "It has started")))]
pub async fn find_startupz() -> &'static str {
    "ok\n"
}

/// Counters and histograms for Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "find_metrics", tag = "operations", responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
pub async fn find_metrics(State(shared): State<Shared>) -> Result<Response, Pending> {
    match &shared.metrics {
        Some(metrics) => {
            runtime_metrics::measure(&shared.app, &shared.probes).await;
            let text = telemetry::render(metrics);
            Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
        }
        None => Err(Pending::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_metrics",
            "Metrics could not be set up at start; the log says why.",
        )),
    }
}
