//! Logs and metrics. The only place that installs subscribers and recorders.
//!
//! The message of a log line reads alone, its fields are queryable. Prompts, diagrams, keys and addresses are never
//! logged: a test runs a canary through every door and looks for it.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Bounds of histogram buckets, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Installs the log. Lines go to standard error, so that standard output belongs to results.
pub fn install_log(log: &Log, no_color: bool) {
    // Libraries below us may log addresses at their chattier levels.
    let filter = match log.level.contains(['=', ',']) {
        true => EnvFilter::try_new(&log.level),
        false => EnvFilter::try_new(format!("warn,rmcp=error,ba_copilot={0},llm={0},store={0}", log.level)),
    };
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let registry = tracing_subscriber::registry().with(filter);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    // A second call, in tests, keeps the first.
    let _ = match json {
        true => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
        false => registry
            .with(fmt::layer().compact().with_ansi(terminal && !no_color).with_writer(std::io::stderr))
            .try_init(),
    };
}

/// Installs the recorder of metrics, or finds the one that is there.
pub fn install_metrics() -> Option<PrometheusHandle> {
    static HANDLE: std::sync::OnceLock<Option<PrometheusHandle>> = std::sync::OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
                .ok()?;
            let handle = builder.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .clone()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("ba_copilot_http_requests_total", "HTTP requests by route, method and status");
    describe_histogram!("ba_copilot_http_request_seconds", "Time of HTTP requests by route, in seconds");
    describe_counter!(
        "ba_copilot_generations_total",
        "Generations by kind, provider and outcome (succeeded, fell_back, failed)"
    );
    describe_histogram!(
        "ba_copilot_generation_seconds",
        "Time of generations by kind and provider, in seconds"
    );
    describe_counter!("ba_copilot_checks_total", "Checks by engine and verdict (valid, invalid, failed)");
    describe_histogram!(
        "ba_copilot_check_seconds",
        "Time of checks that were not answered from memory, by engine, in seconds"
    );
    describe_counter!("ba_copilot_engine_disagreements_total", "Checks on which the two engines disagreed");
    describe_gauge!(
        "ba_copilot_mcp_server_up",
        "Whether the server of MCP_SERVER_URL checks for this process (1) or does not answer (0)"
    );
    describe_counter!(
        "ba_copilot_mcp_fallbacks_total",
        "Checks made in this process because the server of MCP_SERVER_URL did not answer"
    );
    describe_counter!(
        "ba_copilot_limited_requests_total",
        "Requests that were too many, by caller (token, user, address, mcp) and by what all processes or this one counted"
    );
    describe_gauge!("ba_copilot_redis_up", "Whether Redis is there: 1 or 0");
    describe_counter!("ba_copilot_redis_failures_total", "Questions to Redis without an answer");
    describe_counter!(
        "ba_copilot_shared_verdicts_total",
        "Texts looked up among the checks of other processes by outcome (hit, miss, unusable, away)"
    );
    describe_counter!("ba_copilot_mcp_calls_total", "Calls of MCP tools by tool and outcome (ok, error)");
    describe_histogram!("ba_copilot_mcp_call_seconds", "Time of calls of MCP tools by tool, in seconds");
    describe_counter!(
        "ba_copilot_oidc_sign_ins_total",
        "Attempts to sign in with the identity provider, by outcome (signed_in, code_needed, refused, denied, declined, not_under_way, wrong_state, code_refused, token_refused, unavailable)"
    );
    describe_counter!("ba_copilot_repairs_total", "Repairs by rule");
    describe_counter!("ba_copilot_retries_total", "Times a model was asked again");
    describe_counter!("ba_copilot_tokens_total", "Tokens by provider and direction (input, output)");
    describe_counter!(
        "ba_copilot_cost_micro_usd_total",
        "Cost of models by provider, in millionths of a US dollar"
    );
    describe_gauge!(
        "ba_copilot_backup_last_created_timestamp_seconds",
        "When the newest backup in the folder of backup.dir was made, in seconds since 1970"
    );
    describe_gauge!(
        "ba_copilot_backup_last_verified_timestamp_seconds",
        "When a backup in the folder of backup.dir was last tried and everything in it came back, in seconds since 1970"
    );
    describe_gauge!("ba_copilot_backup_size_bytes", "Size of the newest backup in the folder of backup.dir");
    describe_counter!(
        "ba_copilot_backup_failures_total",
        "Backups that the server could not make, or that were no good"
    );
    describe_counter!(
        "ba_copilot_budget_refusals_total",
        "Questions to models that were not asked because a budget had no room, by whose it is (project, user)"
    );
    describe_counter!(
        "ba_copilot_budgets_nearly_spent_total",
        "Questions that took a budget past 80 % of a limit, by whose it is (project, user)"
    );
}
