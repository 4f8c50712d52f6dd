//! Logs and metrics. The only place that installs subscribers and recorders.
//!
//! The message of a log line reads alone, its fields are queryable. Prompts, diagrams, keys and addresses are never
//! logged: a test runs a canary through every door and looks for it.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{Log, LogFormat},
    metrics_table::{self, Kind, METRICS},
    process_metrics,
};

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
            let mut builder = PrometheusBuilder::new();
            for metric in METRICS {
                if let Kind::Histogram(bounds) = metric.kind {
                    let name = Matcher::Full(metric.name.to_owned());
                    builder = builder.set_buckets_for_metric(name, bounds).ok()?;
                }
            }
            let handle = builder.install_recorder().ok()?;
            metrics_table::describe();
            Some(handle)
        })
        .clone()
}

/// What `/metrics` says.
pub fn render(metrics: &PrometheusHandle) -> String {
    metrics.render() + &process_metrics::cpu_lines()
}
