//! The lists that labels of metrics take their values from, and how many series that makes at most.

use axum::http::StatusCode;

use crate::mcp;
use telemetry::metrics_table::{METRICS, Metric, OTHER, Source, Values};

/// All values that a label may have.
#[must_use]
pub fn values_of(values: Values) -> Vec<String> {
    let owned = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect();
    let source = match values {
        Values::OneOf(list) => return owned(list),
        Values::Of(source) => source,
    };
    match source {
        Source::Version => owned(&[env!("CARGO_PKG_VERSION")]),
        Source::Routes => crate::ACCESS_BY_PATH.keys().cloned().chain(["none".to_owned()]).collect(),
        Source::Statuses => (100..600)
            .filter(|code| {
                StatusCode::from_u16(*code).is_ok_and(|status| status.canonical_reason().is_some())
            })
            .map(|code| code.to_string())
            .collect(),
        Source::Kinds => blueprint::KINDS.iter().map(|row| row.id.to_owned()).collect(),
        Source::Providers => ["builtin", OTHER]
            .into_iter()
            .chain(llm::PROVIDERS.iter().map(|row| row.name))
            .map(str::to_owned)
            .collect(),
        Source::Rules => {
            mermend::RULES.iter().map(|rule| rule.code).chain([OTHER]).map(str::to_owned).collect()
        }
        Source::Tools => mcp::tool_names(),
    }
}

/// How many lines one metric may have in `/metrics` at most.
#[must_use]
pub fn most_series(metric: &Metric) -> usize {
    metric.labels.iter().map(|(_, values)| values_of(*values).len()).product()
}

/// Whether this is a series of the metric: its labels and no others, each with a value of its list.
#[must_use]
pub fn is_series_of(metric: &Metric, labels: &[(&str, &str)]) -> bool {
    labels.len() == metric.labels.len()
        && metric.labels.iter().all(|(name, values)| {
            labels
                .iter()
                .any(|(label, value)| label == name && values_of(*values).iter().any(|it| it == value))
        })
}

/// How many series all metrics may have together at most, however hostile the requests.
#[must_use]
pub fn most_series_of_all() -> usize {
    METRICS.iter().map(most_series).sum()
}
