//! Logs, metrics, traces and error reports: the only place that installs global subscribers and recorders.
//!
//! A log message makes sense on its own; its fields are for queries. Prompts, diagrams, keys and addresses are never
//! logged: a test sends a canary through every interface and searches the log for it.

pub mod error_reports;
pub mod metrics_docs;
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
    trace_export::SpanExporter,
};
use config::{Config, Log, LogFormat};

/// The log levels that have a name.
pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The current log level and the handle to change it.
struct LogLevel {
    level: Mutex<String>,
    handle: reload::Handle<EnvFilter, Registry>,
}

static LOG_LEVEL: OnceLock<LogLevel> = OnceLock::new();

/// Why the log level was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    #[error("unknown log level; use error, warn, info, debug or trace")]
    Unknown,
    /// No log was installed in this process.
    #[error("the log level of this process cannot be changed")]
    Fixed,
}

/// The current log level; `None` if no log was installed.
pub fn level() -> Option<String> {
    LOG_LEVEL.get().map(|log| log.level.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Changes the log level to one of [`LEVELS`] or to a filter in the format of the setting `log.level`.
pub fn set_level(level: &str) -> Result<(), LevelError> {
    let filter = filter(level).ok_or(LevelError::Unknown)?;
    let log = LOG_LEVEL.get().ok_or(LevelError::Fixed)?;
    let mut current = log.level.lock().unwrap_or_else(PoisonError::into_inner);
    log.handle.reload(filter).map_err(|_| LevelError::Fixed)?;
    level.clone_into(&mut current);
    Ok(())
}

/// The crates of this program, which are its log targets. In a filter `ba_copilot` stands for all of them.
const CRATES: [&str; 7] = ["ba_copilot", "application", "llm", "operations", "server", "store", "telemetry"];

/// Whether a log target is a crate of this program.
fn is_own_target(target: &str) -> bool {
    CRATES.contains(&target.split("::").next().unwrap_or_default())
}

fn filter(level: &str) -> Option<EnvFilter> {
    let own_crates = |level: &str| CRATES.map(|name| format!("{name}={level}")).join(",");
    let directives = match level.contains(['=', ',']) {
        true => level
            .split(',')
            .map(|directive| match directive.trim().strip_prefix("ba_copilot=") {
                Some(level) => own_crates(level),
                None => directive.to_owned(),
            })
            .collect::<Vec<_>>()
            .join(","),
        // At verbose levels, libraries may log addresses.
        false => format!("warn,rmcp=error,{}", own_crates(level)),
    };
    EnvFilter::try_new(directives).ok()
}

/// Installs the log and the error reports. The log goes to standard error, because standard output is for results.
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
    // Errors are reported at every log level.
    let registry =
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(reports.map(error_report_layer));
    // Tests call this more than once; the first subscriber stays.
    if registry.try_init().is_ok() {
        let _ = LOG_LEVEL.set(LogLevel { level: Mutex::new(level), handle });
    }
}

/// The layer that reports error events together with the fields of their spans.
pub fn error_report_layer<S: Subscriber + for<'a> LookupSpan<'a>>(reports: ErrorReports) -> impl Layer<S> {
    let relevant = FilterFn::new(|metadata| match metadata.is_span() {
        true => is_own_target(metadata.target()),
        false => *metadata.level() == Level::ERROR,
    });
    reports.with_filter(relevant.with_max_level_hint(LevelFilter::INFO))
}

/// Logs and reports panics as errors: their location only, because a panic message may quote user content.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.location = %at, "The program panicked at {at}");
    }));
}

/// Exports spans until it is shut down.
#[derive(Debug)]
pub struct Traces(SpanExporter);

/// Exports spans to the collector of the configuration; `None` if no endpoint is set.
pub fn install_traces(config: &Config) -> Result<Option<Traces>, String> {
    let Some(exporter) = SpanExporter::from_config(config)? else { return Ok(None) };
    trace::install(exporter.tracer());
    Ok(Some(Traces(exporter)))
}

/// Sends the remaining spans and error reports within the timeout.
pub async fn shutdown(traces: Option<Traces>, reports: Option<ErrorReports>, timeout: Duration) {
    let traces = tokio::task::spawn_blocking(move || {
        if let Some(Traces(exporter)) = traces {
            exporter.shutdown(timeout);
        }
    });
    let reports = tokio::task::spawn_blocking(move || {
        if let Some(reports) = reports {
            reports.shutdown(timeout);
        }
    });
    let _ = tokio::join!(traces, reports);
}

/// Whether a value of `log.level` is valid. [`install_log`] uses `info` instead of an invalid one.
pub fn is_level(level: &str) -> bool {
    filter(level).is_some()
}

/// Installs the metrics recorder on the first call; later calls return the same handle.
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

/// The text of `/metrics`.
pub fn render(metrics: &PrometheusHandle) -> String {
    metrics.render() + &process_metrics::cpu_lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_of_the_program_applies_to_all_of_its_crates() {
        for (setting, expected, absent) in [
            ("debug", &["warn", "rmcp=error", "application=debug", "store=debug"][..], "h2="),
            (
                "info,ba_copilot=debug",
                &["info", "ba_copilot=debug", "server=debug", "operations=debug"],
                "h2=",
            ),
            (
                "warn, ba_copilot=trace,h2=info",
                &["warn", "telemetry=trace", "llm=trace", "h2=info"],
                "h2=trace",
            ),
            ("warn,ba_copilot::cli=info", &["warn", "ba_copilot::cli=info"], "server="),
        ] {
            let read = filter(setting).expect(setting).to_string();
            let directives: Vec<&str> = read.split(',').collect();
            for one in expected {
                assert!(directives.contains(one), "{setting}: {one} is missing in {read}");
            }
            assert!(!read.contains(absent), "{setting}: {absent} in {read}");
        }
        for invalid in ["loud=x,y=z", "info,ba_copilot=loud"] {
            assert!(!is_level(invalid), "{invalid}");
        }
    }
}
