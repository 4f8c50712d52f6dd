//! Logs and metrics. The only place that installs subscribers and recorders.
//!
//! The message of a log line reads alone, its fields are queryable. Prompts, diagrams, keys and addresses are never
//! logged: a test runs a canary through every door and looks for it.

use std::{
    io::IsTerminal,
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::{
    config::{Log, LogFormat},
    metrics_table::{self, Kind, METRICS},
    process_metrics,
};

/// The levels that have a word.
pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What is told now, and the way to change it.
struct Told {
    level: Mutex<String>,
    handle: reload::Handle<EnvFilter, Registry>,
}

static TOLD: OnceLock<Told> = OnceLock::new();

/// Why the level stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// There is no such level.
    #[error("there is no such level; use error, warn, info, debug or trace")]
    Unknown,
    /// This process has no log of its own.
    #[error("the log of this process cannot be changed")]
    Fixed,
}

/// The level of the log now; none where no log was installed.
pub fn level() -> Option<String> {
    TOLD.get().map(|told| told.level.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Tells more or less from now on: one of [`LEVELS`], or a filter as the setting takes.
///
/// # Errors
/// When there is no such level, or no log.
pub fn set_level(level: &str) -> Result<(), LevelError> {
    let filter = filter(level).ok_or(LevelError::Unknown)?;
    let told = TOLD.get().ok_or(LevelError::Fixed)?;
    let mut known = told.level.lock().unwrap_or_else(PoisonError::into_inner);
    told.handle.reload(filter).map_err(|_| LevelError::Fixed)?;
    level.clone_into(&mut known);
    Ok(())
}

fn filter(level: &str) -> Option<EnvFilter> {
    // Libraries below us may log addresses at their chattier levels.
    match level.contains(['=', ',']) {
        true => EnvFilter::try_new(level).ok(),
        false => {
            EnvFilter::try_new(format!("warn,rmcp=error,ba_copilot={level},llm={level},store={level}")).ok()
        }
    }
}

/// Installs the log. Lines go to standard error, so that standard output belongs to results.
pub fn install_log(log: &Log, no_color: bool) {
    let (filter, level) = match filter(&log.level) {
        Some(filter) => (filter, log.level.clone()),
        None => (EnvFilter::new("info"), "info".to_owned()),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let terminal = std::io::stderr().is_terminal();
    let registry = tracing_subscriber::registry().with(filter);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    // A second call, in tests, keeps the first.
    let installed = match json {
        true => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
        false => registry
            .with(fmt::layer().compact().with_ansi(terminal && !no_color).with_writer(std::io::stderr))
            .try_init(),
    };
    if installed.is_ok() {
        let _ = TOLD.set(Told { level: Mutex::new(level), handle });
    }
}

/// Whether log.level can be used; another one is taken for `info`.
pub fn is_level(level: &str) -> bool {
    filter(level).is_some()
}

/// Installs the recorder of metrics, or finds the one that is there.
pub fn install_metrics() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
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
