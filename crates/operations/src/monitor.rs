//! How running servers are, and how they were doing since the last look: from `/health` and `/metrics`, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

use super::{
    prometheus::{Samples, quantile},
    target::{NoAnswer, Question, Target},
};

/// How long a server may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// What machines ask, and we too: no load of the service.
const PROBES: [&str; 5] = ["/health", "/livez", "/readyz", "/startupz", "/metrics"];
const REQUESTS: &str = "ba_copilot_http_requests_total";

/// How a server is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All works.
    Healthy,
    /// The main job works, something beside it does not.
    Degraded,
    /// The main job does not work.
    Unhealthy,
    /// Nobody answers.
    Unreachable,
}

impl State {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            State::Healthy => "healthy",
            State::Degraded => "degraded",
            State::Unhealthy => "unhealthy",
            State::Unreachable => "unreachable",
        }
    }
}

/// One part of a server.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How it is.
    pub status: String,
    /// What is wrong with it, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Requests that failed since the last look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failing {
    /// Method and route.
    pub route: String,
    /// The status that was answered.
    pub status: String,
    /// How often.
    pub count: f64,
}

/// How long requests took since the last look, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
}

/// How a server is. What is not known is not there: rates need two looks.
#[derive(Debug, Clone, Serialize)]
pub struct Reading {
    /// Its address.
    pub url: String,
    /// In a word.
    pub state: State,
    /// Why it did not answer, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Seconds since it was started.
    pub uptime_s: Option<i64>,
    /// How long `/health` took, in milliseconds.
    pub health_ms: Option<f64>,
    /// Each part.
    pub parts: Vec<Part>,
    /// Memory, in bytes.
    pub memory_bytes: Option<f64>,
    /// The same, of what it may use.
    pub memory_percent: Option<f64>,
    /// Processor, of one core.
    pub cpu_percent: Option<f64>,
    /// Open files and connections.
    pub open_files: Option<f64>,
    /// What is free on the disk of the data folder, of a hundred.
    pub disk_free_percent: Option<f64>,
    /// Requests in a second, without those of machines that ask how it is.
    pub requests_per_s: Option<f64>,
    /// How many of them failed by a fault of ours (5xx), of a hundred.
    pub errors_percent: Option<f64>,
    /// How long they took.
    pub latency: Option<Latency>,
    /// How often a model was asked again, of a hundred diagrams.
    pub retry_percent: Option<f64>,
    /// Diagrams since the start.
    pub generations: Option<f64>,
    /// Jobs that are open: waiting, to be done later, or worked on.
    pub jobs_open: Option<f64>,
    /// Questions that a budget had no room for, since the start.
    pub budget_refusals: f64,
    /// What failed.
    pub failing: Vec<Failing>,
}

/// One look at a server.
#[derive(Debug)]
struct Seen {
    at: Instant,
    status: u16,
    health: Value,
    health_took: Duration,
    metrics: Samples,
}

/// Servers that are watched.
#[derive(Debug)]
pub struct Watch {
    servers: Vec<(Target, Option<Seen>)>,
}

impl Watch {
    /// Nothing was looked at yet.
    pub fn new(targets: Vec<Target>) -> Self {
        Watch { servers: targets.into_iter().map(|target| (target, None)).collect() }
    }

    /// Looks at all of them at once.
    pub async fn look(&mut self) -> Vec<Reading> {
        let looks = self.servers.iter_mut().map(|(target, before)| async move {
            match look(target).await {
                Ok(now) => {
                    let reading = read(target.address(), before.as_ref(), &now);
                    *before = Some(now);
                    reading
                }
                Err(error) => {
                    *before = None;
                    Reading {
                        error: Some(error.to_string()),
                        ..Reading::new(target.address(), State::Unreachable)
                    }
                }
            }
        });
        futures_util::future::join_all(looks).await
    }
}

async fn look(target: &Target) -> Result<Seen, NoAnswer> {
    let health = target.ask(Question::get("/health").within(PATIENCE)).await?;
    let metrics = target.ask(Question::get("/metrics").within(PATIENCE)).await?;
    Ok(Seen {
        at: Instant::now(),
        status: health.status,
        health: health.json(),
        health_took: health.took,
        // A server whose metrics are kept from us is seen by its health alone.
        metrics: Samples::parse(&metrics.body).unwrap_or_default(),
    })
}

impl Reading {
    fn new(url: String, state: State) -> Self {
        Reading {
            url,
            state,
            error: None,
            version: None,
            uptime_s: None,
            health_ms: None,
            parts: Vec::new(),
            memory_bytes: None,
            memory_percent: None,
            cpu_percent: None,
            open_files: None,
            disk_free_percent: None,
            requests_per_s: None,
            errors_percent: None,
            latency: None,
            retry_percent: None,
            generations: None,
            jobs_open: None,
            budget_refusals: 0.0,
            failing: Vec::new(),
        }
    }
}

fn read(url: String, before: Option<&Seen>, now: &Seen) -> Reading {
    let health = &now.health;
    let state = match health["status"].as_str() {
        Some("healthy") => State::Healthy,
        Some("degraded") => State::Degraded,
        // Also what is no answer of ours.
        _ => State::Unhealthy,
    };
    let mut reading = Reading::new(url, state);
    if health["status"].is_null() {
        reading.error = Some(format!("/health answered with {} and no status", now.status));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    reading.version = text(&health["version"]);
    reading.uptime_s = health["uptime_s"].as_i64();
    reading.health_ms = Some(now.health_took.as_secs_f64() * 1e3);
    for (name, check) in health["checks"].as_object().into_iter().flatten() {
        let status = text(&check["status"]).unwrap_or_else(|| "unknown".to_owned());
        reading.parts.push(Part { name: name.clone(), status, error: text(&check["error"]) });
    }
    let metrics = &now.metrics;
    reading.memory_bytes = metrics.sum("process_resident_memory_bytes");
    let limit = metrics.sum("process_memory_limit_bytes");
    reading.memory_percent = share(reading.memory_bytes, limit);
    reading.open_files = metrics.sum("process_open_fds");
    reading.generations = metrics.sum("ba_copilot_generations_total");
    // Not a number where the database could not be asked.
    reading.jobs_open = metrics.sum("ba_copilot_jobs_open").filter(|jobs| jobs.is_finite());
    reading.disk_free_percent =
        share(metrics.sum("ba_copilot_disk_free_bytes"), metrics.sum("ba_copilot_disk_total_bytes"));
    reading.budget_refusals = metrics.sum("ba_copilot_budget_refusals_total").unwrap_or_default();
    if let Some(before) = before {
        compare(before, now, &mut reading);
    }
    reading
}

/// What happened between two looks.
fn compare(before: &Seen, now: &Seen, reading: &mut Reading) {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(0.001);
    let grown = |name: &str, fits: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        let sum = |seen: &Seen| seen.metrics.sum_where(name, fits).unwrap_or_default();
        growth(sum(before), sum(now))
    };
    if now.metrics.sum("process_cpu_seconds_total").is_some() {
        reading.cpu_percent = Some(grown("process_cpu_seconds_total", &|_| true) / seconds * 100.0);
    }
    let requests = grown(REQUESTS, &is_work);
    let errors = grown(REQUESTS, &|labels| is_work(labels) && is_fault(labels));
    reading.requests_per_s = Some(requests / seconds);
    reading.errors_percent = share(Some(errors), Some(requests));
    let retries = grown("ba_copilot_retries_total", &|_| true);
    reading.retry_percent = share(Some(retries), Some(grown("ba_copilot_generations_total", &|_| true)));
    let buckets = |seen: &Seen| seen.metrics.buckets("ba_copilot_http_request_seconds", is_work);
    let old: Vec<(f64, f64)> = buckets(before);
    let grown_buckets: Vec<(f64, f64)> = buckets(now)
        .into_iter()
        .map(|(bound, count)| {
            let earlier = old.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, count)| *count);
            (bound, growth(earlier, count))
        })
        .collect();
    let at = |q| quantile(&grown_buckets, q).map(|seconds| seconds * 1e3);
    if let (Some(p50_ms), Some(p95_ms), Some(p99_ms)) = (at(0.5), at(0.95), at(0.99)) {
        reading.latency = Some(Latency { p50_ms, p95_ms, p99_ms });
    }
    reading.failing = failing(before, now);
}

fn failing(before: &Seen, now: &Seen) -> Vec<Failing> {
    let faults: BTreeSet<&BTreeMap<String, String>> =
        now.metrics.of(REQUESTS, is_fault).map(|sample| &sample.labels).collect();
    let mut failing: Vec<Failing> = faults
        .into_iter()
        .map(|labels| {
            let sum =
                |seen: &Seen| seen.metrics.sum_where(REQUESTS, |other| other == labels).unwrap_or_default();
            let label = |name: &str| labels.get(name).map_or("?", String::as_str);
            Failing {
                route: format!("{} {}", label("method"), label("route")),
                status: label("status").to_owned(),
                count: growth(sum(before), sum(now)),
            }
        })
        .filter(|failing| failing.count > 0.0)
        .collect();
    failing.sort_by(|a, b| b.count.total_cmp(&a.count));
    failing.truncate(5);
    failing
}

/// A counter that is smaller than before began anew.
fn growth(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

fn share(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let whole = whole.filter(|whole| *whole > 0.0)?;
    Some(part? / whole * 100.0)
}

fn is_work(labels: &BTreeMap<String, String>) -> bool {
    labels.get("route").is_none_or(|route| !PROBES.contains(&route.as_str()))
}

fn is_fault(labels: &BTreeMap<String, String>) -> bool {
    labels.get("status").is_some_and(|status| status.starts_with('5')) && is_work(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(at: Instant, metrics: &str) -> Seen {
        Seen {
            at,
            status: 200,
            health: json!({"status": "degraded", "checks": {"disk": {"status": "degraded", "error": "full"}}}),
            health_took: Duration::from_millis(2),
            metrics: Samples::parse(metrics).expect("metrics"),
        }
    }

    #[test]
    fn rates_are_what_happened_between_two_looks() {
        let begun = Instant::now();
        let request = |route: &str, status: u16, count: u32| {
            format!("{REQUESTS}{{route=\"{route}\",method=\"GET\",status=\"{status}\"}} {count}\n")
        };
        let first = [
            request("/a", 200, 100),
            request("/a", 500, 5),
            request("/health", 200, 1000),
            "process_cpu_seconds_total 10\nba_copilot_retries_total 9\n".to_owned(),
        ];
        let second = [
            request("/a", 200, 108),
            request("/a", 500, 6),
            request("/b", 503, 1),
            request("/health", 200, 2000),
            "process_cpu_seconds_total 11\nba_copilot_retries_total 1\nba_copilot_generations_total 4\n"
                .to_owned(),
            "process_resident_memory_bytes 50\nprocess_memory_limit_bytes 200\n".to_owned(),
        ];
        let before = seen(begun, &first.concat());
        let now = seen(begun + Duration::from_secs(5), &second.concat());
        let reading = read("http://x".to_owned(), Some(&before), &now);
        assert_eq!((reading.state, reading.parts[0].error.as_deref()), (State::Degraded, Some("full")));
        assert_eq!((reading.requests_per_s, reading.errors_percent), (Some(2.0), Some(20.0)));
        assert_eq!((reading.cpu_percent, reading.memory_percent), (Some(20.0), Some(25.0)));
        // The counter began anew meanwhile.
        assert_eq!(reading.retry_percent, Some(25.0));
        let failing: Vec<_> = reading.failing.iter().map(|f| (f.route.as_str(), f.count)).collect();
        assert_eq!(failing, [("GET /a", 1.0), ("GET /b", 1.0)]);
        let alone = read("http://x".to_owned(), None, &now);
        assert_eq!((alone.requests_per_s, alone.cpu_percent), (None, None));
    }
}
