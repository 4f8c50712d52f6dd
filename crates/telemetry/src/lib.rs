//! Logs, metrics, spans and reports of errors. The only place that installs what they go through.
//!
//! The message of a log line reads alone, its fields are queryable. Prompts, diagrams, keys and addresses are never
//! logged: a test runs a canary through every door and looks for it.

pub mod error_reports;
pub mod metrics_table;
pub mod process_limits;
pub mod process_metrics;
pub mod trace;
mod trace_export;

use std::{
    io::IsTerminal,
    panic::PanicHookInfo,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::FilterFn, fmt, layer::SubscriberExt, registry::LookupSpan, reload,
    util::SubscriberInitExt,
};

use crate::{
    error_reports::ErrorReports,
    metrics_table::{Kind, METRICS},
    trace_export::Export,
};
use config::{Config, Log, LogFormat};

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

/// The crates of this program, which are the targets of its log. In filters `ba_copilot` means all of them.
const CRATES: [&str; 7] = ["ba_copilot", "application", "llm", "operations", "server", "store", "telemetry"];

/// Whether a target of the log is one of this program's.
fn is_ours(target: &str) -> bool {
    CRATES.contains(&target.split("::").next().unwrap_or_default())
}

fn filter(level: &str) -> Option<EnvFilter> {
    let ours = |level: &str| CRATES.map(|name| format!("{name}={level}")).join(",");
    let directives = match level.contains(['=', ',']) {
        true => level
            .split(',')
            .map(|directive| match directive.trim().strip_prefix("ba_copilot=") {
                Some(level) => ours(level),
                None => directive.to_owned(),
            })
            .collect::<Vec<_>>()
            .join(","),
        // Libraries may log addresses at their more verbose levels.
        false => format!("warn,rmcp=error,{}", ours(level)),
    };
    EnvFilter::try_new(directives).ok()
}

/// Installs the log, and what tells errors elsewhere. Lines go to standard error, so that standard output belongs to results.
pub fn install_log(log: &Log, no_color: bool, reports: Option<ErrorReports>) {
    let (filter, level) = match filter(&log.level) {
        Some(filter) => (filter, log.level.clone()),
        None => (EnvFilter::new("info"), "info".to_owned()),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match json {
        true => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        false => fmt::layer().compact().with_ansi(terminal && !no_color).with_writer(std::io::stderr).boxed(),
    };
    // Errors are reported whatever the level of the log is.
    let registry =
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(reports.map(reporting));
    // A second call, in tests, keeps the first.
    if registry.try_init().is_ok() {
        let _ = TOLD.set(Told { level: Mutex::new(level), handle });
    }
}

/// Hears of errors, and of what was being done when they happened.
pub fn reporting<S: Subscriber + for<'a> LookupSpan<'a>>(reports: ErrorReports) -> impl Layer<S> {
    let ours = FilterFn::new(|it| match it.is_span() {
        true => is_ours(it.target()),
        false => *it.level() == Level::ERROR,
    });
    reports.with_filter(ours.with_max_level_hint(LevelFilter::INFO))
}

/// A panic is an error like others from now on: in the log, and told. Where it was, and not what it says, which may quote anything.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.location = %at, "The program panicked at {at}");
    }));
}

/// Spans on their way, for as long as this is there.
#[derive(Debug)]
pub struct Traces(Export);

/// Tells spans to the collector of the configuration from now on; none where nobody is told.
///
/// # Errors
/// When no client can be made.
pub fn install_traces(config: &Config) -> Result<Option<Traces>, String> {
    let Some(export) = Export::start(config)? else { return Ok(None) };
    trace::install(export.tracer());
    Ok(Some(Traces(export)))
}

/// Sends what is still to be told of spans and errors, within this time at most.
pub async fn end(traces: Option<Traces>, reports: Option<ErrorReports>, within: Duration) {
    let traces = tokio::task::spawn_blocking(move || {
        if let Some(Traces(export)) = traces {
            export.end(within);
        }
    });
    let reports = tokio::task::spawn_blocking(move || {
        if let Some(reports) = reports {
            reports.end(within);
        }
    });
    let _ = tokio::join!(traces, reports);
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
