//! The metrics table matches the sources, `/metrics`, and every dashboard and rule.
//!
//! Runs on SQLite only: metrics are the same on both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use telemetry::metrics_table::{Kind, METRICS, Metric, Values};

use crate::app::TestApp;

/// Metrics that Prometheus itself creates, and labels that it adds to every series.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];
const LABELS_OF_PROMETHEUS: [&str; 2] = ["job", "instance"];
/// Read from the operating system as a fraction, so no macro records it.
const WITHOUT_MACRO: &str = "process_cpu_seconds_total";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// The names in calls of `counter!`, `gauge!` and `histogram!`, each with the macro.
fn counted(text: &str) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for kind in ["counter", "gauge", "histogram"] {
        for (at, call) in text.match_indices(&format!("{kind}!(")) {
            if text[..at].ends_with('_') {
                continue; // `describe_…!`
            }
            let argument = text[at + call.len()..].trim_start();
            if let Some((name, _)) = argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                found.push((name.to_owned(), kind));
            }
        }
    }
    found
}

#[test]
fn metrics_table_matches_the_sources() {
    let mut sources = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates").flatten() {
        files(&entry.path().join("src"), "rs", &mut sources);
    }
    let mut names = BTreeSet::from([WITHOUT_MACRO.to_owned()]);
    for source in sources {
        for (name, kind) in counted(&fs::read_to_string(&source).expect("text")) {
            let row = find(&name).unwrap_or_else(|| {
                panic!("{} records {name}, which is missing in metrics_table.rs", source.display())
            });
            assert_eq!(row.kind.prometheus_type(), kind, "{name} in {}", source.display());
            names.insert(name);
        }
    }
    let table: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(table, names, "metrics_table.rs lists a metric that no source records");
    assert_eq!(table.len(), METRICS.len(), "duplicate name in metrics_table.rs");
    for metric in METRICS {
        assert!(!metric.help.ends_with('.') && metric.interpretation.ends_with('.'), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
    }
}

#[test]
fn metric_names_are_found_in_sources() {
    assert_eq!(
        counted("metrics::counter!(\n  \"a\", 1) describe_gauge!(\"b\") gauge!(name) histogram!(\"c\")"),
        [("a".to_owned(), "counter"), ("c".to_owned(), "histogram")]
    );
}

/// The labels between braces. Values contain no quotes.
fn labels(text: &str) -> BTreeMap<&str, &str> {
    text.split("\",")
        .filter_map(|pair| pair.split_once("=\""))
        .map(|(name, value)| (name, value.trim_end_matches('"')))
        .collect()
}

#[tokio::test]
async fn server_exposes_the_metrics_of_the_table() {
    let app = TestApp::builtin().await;
    let text = "A customer places orders.";
    app.post("/api/v1/generate/class-diagram", json!({"message": text})).await;
    app.post("/api/v1/repair", json!({"code": "flowchart LR\n  a[run()] --> b"})).await;
    app.tool("validate_mermaid", json!({"code": "flowchart LR\n  a --> b"})).await;
    let answer = app.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4");
    let (mut helps, mut kinds, mut shown) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for line in answer.text().lines().filter(|line| !line.is_empty()) {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
            continue;
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert!(kinds.insert(name, kind).is_none(), "{name} is shown twice");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        value.parse::<f64>().unwrap_or_else(|error| panic!("{error}: {line}"));
        let (name, given) = series.split_once('{').unwrap_or((series, ""));
        let given = labels(given.trim_end_matches('}'));
        let whole = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part).filter(|name| kinds.get(name) == Some(&"histogram")));
        let name = whole.unwrap_or(name);
        let row = find(name).unwrap_or_else(|| panic!("metrics_table.rs has no row for {name}"));
        assert_eq!(kinds.get(name), Some(&row.kind.prometheus_type()), "{line}");
        assert_eq!(helps.get(name), Some(&row.help), "{line}");
        let mut expected: BTreeSet<&str> = row.labels.iter().map(|(label, _)| *label).collect();
        if series.contains("_bucket{") {
            expected.insert("le");
        }
        assert_eq!(given.keys().copied().collect::<BTreeSet<_>>(), expected, "{line}");
        for (label, values) in row.labels {
            if let Values::OneOf(values) = values {
                assert!(values.contains(&given[label]), "{label} of {line} is not in metrics_table.rs");
            }
        }
        shown.insert(row.name);
    }
    for metric in METRICS.iter().filter(|metric| !metric.availability.starts_with("with ")) {
        assert!(shown.contains(metric.name), "{} is not shown:\n{}", metric.name, answer.text());
    }
    // The health metric matches /health, and the failed request for a job does not add an open job.
    for line in ["ba_copilot_health{check=\"database\"} 1", "ba_copilot_jobs_open{state=\"waiting\"} 0"] {
        assert!(answer.text().lines().any(|other| other == line), "{line} in\n{}", answer.text());
    }
}

/// One reference to a metric in an expression: its name, and each label matcher with its values.
type Mention<'a> = (&'a str, Vec<(&'a str, Vec<&'a str>)>);

/// The metrics that an expression refers to.
fn mentions(expression: &str) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    while let Some(offset) = expression[at..].find(is_name) {
        let begin = at + offset;
        let end = expression[begin..].find(|c| !is_name(c)).map_or(expression.len(), |length| begin + length);
        at = end;
        let name = &expression[begin..end];
        let ours = ["ba_copilot_", "process_"].iter().any(|prefix| name.starts_with(prefix));
        if !ours && !OF_PROMETHEUS.contains(&name) {
            continue;
        }
        let mut chosen = Vec::new();
        if let Some(rest) = expression[end..].strip_prefix('{') {
            let (inside, _) = rest.split_once('}').expect("an end of the labels");
            at = end + 1 + inside.len();
            for pair in inside.split("\",").filter(|pair| pair.contains('"')) {
                let (label, value) = pair.split_once('"').expect("a value");
                let label = label.trim().trim_end_matches(['=', '~', '!']);
                chosen.push((label, value.trim_end().trim_end_matches('"').split('|').collect()));
            }
        }
        found.push((name, chosen));
    }
    found
}

/// Checks that the metrics of an expression exist, with their labels and label values.
fn check<'a>(place: &str, expression: &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (name, chosen) in mentions(expression) {
        if OF_PROMETHEUS.contains(&name) {
            continue;
        }
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| {
            let whole = find(name.strip_suffix(part)?)?;
            matches!(whole.kind, Kind::Histogram(_)).then_some(whole)
        });
        let row = part.or_else(|| find(name)).unwrap_or_else(|| panic!("{place}: there is no metric {name}"));
        assert_eq!(part.is_some(), matches!(row.kind, Kind::Histogram(_)), "{place}: {name}");
        names.push(row.name);
        for (label, values) in chosen {
            if LABELS_OF_PROMETHEUS.contains(&label) {
                continue;
            }
            let known = row.labels.iter().find(|(known, _)| *known == label);
            let (_, known) = known.unwrap_or_else(|| panic!("{place}: {name} has no label {label}"));
            if let Values::OneOf(known) = known {
                for value in values {
                    assert!(known.contains(&value), "{place}: {label} of {name} is never {value}");
                }
            }
        }
    }
    names
}

/// Every expression of the dashboards, with its location.
pub(crate) fn dashboards() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut files_found, mut uids) = (Vec::new(), BTreeSet::new());
    files(&root().join("infra/grafana/dashboards"), "json", &mut files_found);
    for file in files_found {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&file).expect("text")).expect("JSON");
        assert!(uids.insert(dashboard["uid"].as_str().expect("a uid").to_owned()), "{name}: duplicate uid");
        for panel in dashboard["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().expect("a title");
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}: {title}");
            assert_eq!(panel["datasource"]["uid"], "prometheus", "{name}: {title}");
            for target in panel["targets"].as_array().expect("targets") {
                found.push((
                    format!("{name}: {title}"),
                    target["expr"].as_str().expect("an expression").to_owned(),
                ));
            }
        }
    }
    found
}

#[test]
fn dashboards_show_every_metric_and_nothing_else() {
    let found = dashboards();
    let shown: BTreeSet<&str> =
        found.iter().flat_map(|(place, expression)| check(place, expression)).collect();
    let table: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(shown, table, "a metric is on no dashboard");
}

#[test]
fn rules_name_only_existing_metrics() {
    let rules = fs::read_to_string(root().join("infra/prometheus/rules.yml")).expect("rules");
    assert!(check("rules.yml", &rules).len() > 20);
}

#[test]
fn missing_metrics_are_detected() {
    for (expression, problem) in [
        ("rate(ba_copilot_nothing_total[5m])", "there is no metric"),
        ("ba_copilot_health{chekc=\"redis\"}", "has no label"),
        ("sum(ba_copilot_health{check!~\"redis|radish\"})", "is never radish"),
        ("ba_copilot_http_request_seconds{route=\"/\"}", "ba_copilot_http_request_seconds"),
    ] {
        let said = std::panic::catch_unwind(|| check("here", expression).len()).expect_err(expression);
        let said = said.downcast::<String>().expect("words");
        assert!(said.contains(problem), "{said}");
    }
}
