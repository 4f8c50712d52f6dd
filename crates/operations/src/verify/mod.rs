//! `verify`: the list of checks of a server after a deployment.
//!
//! The checks use the server as its users and programs do: they read, generate, validate and write. They write to a
//! project of their own, change nothing else, and read nothing that others wrote.

mod api;
mod junit;
mod liveness;
mod mcp;
mod persistence;
mod report;
mod run;

pub use junit::junit;
pub use report::{Report, status_name};
pub use run::Options;

use serde_json::Value;

use crate::{
    diagnostics::{Check, CheckReport, checks},
    prometheus::Samples,
    server_client::{ClientError, Request, ServerClient},
};
use application::clock::Clock;
use run::VerifyRun;

const CHECKS: &[Check<VerifyRun>] = checks! {
    "root", "The root names the service",
        "Another program answers here. Check the address, and where the proxy forwards it.",
        liveness::root;
    "live", "The process is alive and ready",
        "See /health for the component that does not work, and the log for the reason.",
        liveness::ready;
    "health", "Health reports each component",
        "/health names the component that does not work; repair that first.",
        liveness::health;
    "health_time", "Health answers within a second",
        "The machine is overloaded, or a proxy delays responses: see `ba-copilot monitor`.",
        liveness::health_time;
    "mcp_server", "Health reports the checker",
        "This is another program, or an old version. Deploy the current one.",
        liveness::mcp_server;
    "services", "All services run and reach each other",
        "Start what is missing, and check DATABASE_URL, AI_SERVICE_URL, MCP_SERVER_URL and the networks between them.",
        liveness::services;
    "metrics", "Metrics can be scraped",
        "Check that the proxy lets the scraper reach /metrics, and that nothing rewrites the response.",
        liveness::metrics;
    "headers", "Responses carry the security headers",
        "A proxy removes headers. Let it pass on what the server sends.",
        liveness::headers;
    "docs", "The API documentation is Swagger UI",
        "Check that the proxy forwards /docs and the paths below it.",
        liveness::docs;
    "openapi", "The API is described by OpenAPI 3.1",
        "Check that the proxy forwards /openapi.json to the deployed version.",
        liveness::openapi;
    "generate", "A class diagram is generated within 30 seconds",
        "See the log of this request. If a model is used, check its key and MODEL.",
        api::generate;
    "metadata", "The metadata says whether the diagram was validated",
        "This is another program, or an old version. Deploy the current one.",
        api::metadata;
    "drawn", "The generated diagram is valid",
        "Generation and validation disagree: check that all processes run the same version.",
        api::drawn;
    "accepts", "A valid diagram is accepted",
        "The checker rejects everything. See `mcp_server` in /health, and restart the process.",
        api::accepts;
    "rejects", "An invalid diagram is rejected",
        "The checker accepts everything, so nothing is validated. See `mcp_server` in /health.",
        api::rejects;
    "mcp", "Agents can validate over MCP",
        "See docs/mcp.md for how /mcp is served and who may call it.",
        mcp::mcp;
    "write", "A write is visible over another connection",
        "See `database` and `disk` in /health. Behind a proxy, check that all servers have the same DATABASE_URL.",
        persistence::write;
    "restart", "A write survives a restart",
        "Check that the data folder or the database is on a volume that outlives the process.",
        persistence::restart;
    "backup", "There is a recent, verified backup",
        "Create one with `ba-copilot backup create`, and find out why there is none: docs/operations.md.",
        persistence::backup;
};

/// Ids and titles of all checks, in their order.
pub fn list_checks() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKS.iter().map(|check| (check.id, check.title))
}

/// Runs all checks in order; `finished` is called after each of them.
///
/// # Errors
/// When nothing answers at the address, so that there is nothing to check.
pub async fn verify_server(
    client: ServerClient,
    options: Options,
    clock: Clock,
    mut finished: impl FnMut(&CheckReport),
) -> Result<Report, ClientError> {
    client.send(Request::get("/livez")).await?;
    let mut report = Report { address: client.address(), at: clock.now_us(), checks: Vec::new() };
    let mut run = VerifyRun {
        client,
        options,
        clock,
        health: Value::Null,
        generated: Value::Null,
        project: None,
        written: None,
        metrics: Samples::default(),
    };
    for check in CHECKS {
        let check = check.run(&mut run).await;
        finished(&check);
        report.checks.push(check);
    }
    Ok(report)
}
