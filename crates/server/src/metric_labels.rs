//! The closed lists of metric label values, and the maximum number of series.

use axum::http::StatusCode;

use crate::{access_table::ACCESS_BY_PATH, mcp};
use telemetry::metrics_table::{METRICS, Metric, OTHER, Source, Values};

/// All values of a label.
#[must_use]
pub fn values_of(values: Values) -> Vec<String> {
    let owned = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect();
    let source = match values {
        Values::OneOf(list) => return owned(list),
        Values::FromTable(source) => source,
    };
    match source {
        Source::Version => owned(&[env!("CARGO_PKG_VERSION")]),
        Source::Routes => ACCESS_BY_PATH.keys().cloned().chain(["none".to_owned()]).collect(),
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

/// The maximum number of series of a metric.
#[must_use]
pub fn most_series(metric: &Metric) -> usize {
    metric.labels.iter().map(|(_, values)| values_of(*values).len()).product()
}

/// The maximum number of series of all metrics, for any requests.
#[must_use]
pub fn most_series_of_all() -> usize {
    METRICS.iter().map(most_series).sum()
}
