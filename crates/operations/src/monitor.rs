//! `monitor`: the list of checks of running servers, and their load between two scrapes, from `/health` and `/metrics`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

use crate::{
    diagnostics::{Check, CheckFailure, CheckResult, Outcome, checks, passed},
    prometheus::{Samples, quantile},
    server_client::{ClientError, Request, ServerClient},
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests of monitoring systems, which are not part of the load.
const PROBES: [&str; 5] = ["/health", "/livez", "/readyz", "/startupz", "/metrics"];
const REQUESTS: &str = "ba_copilot_http_requests_total";

/// From best to worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    Healthy,
    /// The main function works, another one does not.
    Degraded,
    /// The main function does not work.
    Unhealthy,
    Unreachable,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Healthy => "healthy",
            State::Degraded => "degraded",
            State::Unhealthy => "unhealthy",
            State::Unreachable => "unreachable",
        }
    }
}

/// A component of a server, as `/health` reports it.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    pub name: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Requests to one route that failed since the last scrape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failing {
    /// Method and route.
    pub route: String,
    pub status: String,
    pub count: f64,
}

/// Response times since the last scrape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// The state of a server. Unknown values are none; rates need two scrapes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reading {
    pub url: String,
    pub state: State,
    /// Why the server did not answer as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub version: Option<String>,
    pub uptime_s: Option<i64>,
    /// The response time of `/health`.
    pub health_ms: Option<f64>,
    pub parts: Vec<Part>,
    pub memory_bytes: Option<f64>,
    /// Of the memory limit.
    pub memory_percent: Option<f64>,
    /// Of one core.
    pub cpu_percent: Option<f64>,
    /// Open files and connections.
    pub open_files: Option<f64>,
    /// Of the disk of the data folder.
    pub disk_free_percent: Option<f64>,
    /// Without probes.
    pub requests_per_s: Option<f64>,
    /// Responses with a status of 500 and above.
    pub errors_percent: Option<f64>,
    pub latency: Option<Latency>,
    /// Repeated model calls, per generation.
    pub retry_percent: Option<f64>,
    /// Since the start.
    pub generations: Option<f64>,
    /// Waiting, scheduled or running.
    pub jobs_open: Option<f64>,
    /// Model calls that a budget refused since the start.
    pub budget_refusals: f64,
    pub failing: Vec<Failing>,
}

/// The responses of a server at one moment.
#[derive(Debug)]
struct Scrape {
    at: Instant,
    health_status: u16,
    health: Value,
    health_time: Duration,
    metrics: Samples,
}

/// The context of the checks: two scrapes of a server.
struct Observation {
    before: Option<Scrape>,
    now: Result<Scrape, ClientError>,
}

/// The checks of a server. The worst outcome is its [`State`].
const CHECKS: &[Check<Observation>] = checks! {
    "reachable", "The server answers", "Start the server, or correct its address.", reachable;
    "health", "The server is healthy", "See /health for the component that does not work.", health;
};

async fn reachable(observation: &mut Observation) -> CheckResult {
    match &observation.now {
        Ok(scrape) => passed(format!("/health answered {}", scrape.health_status)),
        Err(error) => Err(CheckFailure::failed(error.to_string())),
    }
}

async fn health(observation: &mut Observation) -> CheckResult {
    let Ok(scrape) = &observation.now else {
        return Err(CheckFailure::skipped("the server does not answer"));
    };
    match scrape.health["status"].as_str() {
        Some("healthy") => passed("all components work"),
        Some("degraded") => {
            Ok(Outcome::warning("degraded", "See /health for the component that does not work."))
        }
        Some(_) => Err(CheckFailure::failed("unhealthy")),
        None => {
            let status = scrape.health_status;
            Err(CheckFailure::failed(format!("/health answered with {status} and no status")))
        }
    }
}

/// Monitored servers.
#[derive(Debug)]
pub struct Monitor {
    servers: Vec<(ServerClient, Option<Scrape>)>,
}

impl Monitor {
    pub fn new(clients: Vec<ServerClient>) -> Self {
        Monitor { servers: clients.into_iter().map(|client| (client, None)).collect() }
    }

    /// Scrapes all servers concurrently.
    pub async fn read(&mut self) -> Vec<Reading> {
        let readings = self.servers.iter_mut().map(|(client, previous)| async move {
            let mut observation = Observation { before: previous.take(), now: scrape(client).await };
            let reading = evaluate(client.address(), &mut observation).await;
            *previous = observation.now.ok();
            reading
        });
        futures_util::future::join_all(readings).await
    }
}

async fn scrape(client: &ServerClient) -> Result<Scrape, ClientError> {
    let health = client.send(Request::get("/health").timeout(TIMEOUT)).await?;
    let metrics = client.send(Request::get("/metrics").timeout(TIMEOUT)).await?;
    Ok(Scrape {
        at: Instant::now(),
        health_status: health.status,
        health: health.json(),
        health_time: health.elapsed,
        // A server that does not allow access to its metrics is monitored by its health alone.
        metrics: Samples::parse(&metrics.body).unwrap_or_default(),
    })
}

/// Runs the checks and reads the values.
async fn evaluate(url: String, observation: &mut Observation) -> Reading {
    let mut reading = Reading { url, ..Reading::default() };
    for check in CHECKS {
        let outcome = check.run(observation).await.outcome;
        let state = match (&outcome, check.id) {
            (Outcome::Ok(_) | Outcome::Skipped(_), _) => State::Healthy,
            (Outcome::Warning(_), _) => State::Degraded,
            (Outcome::Failed(_), "reachable") => State::Unreachable,
            (Outcome::Failed(_), _) => State::Unhealthy,
        };
        reading.state = reading.state.max(state);
        // Without a status there is no component that names the reason.
        let no_status = observation.now.as_ref().is_ok_and(|scrape| scrape.health["status"].is_null());
        if let (Outcome::Failed(problem), true) = (outcome, state == State::Unreachable || no_status) {
            reading.error = Some(problem.found);
        }
    }
    if let Ok(now) = &observation.now {
        read_values(now, &mut reading);
        if let Some(before) = &observation.before {
            compare(before, now, &mut reading);
        }
    }
    reading
}

fn read_values(now: &Scrape, reading: &mut Reading) {
    let health = &now.health;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    reading.version = text(&health["version"]);
    reading.uptime_s = health["uptime_s"].as_i64();
    reading.health_ms = Some(now.health_time.as_secs_f64() * 1e3);
    for (name, check) in health["checks"].as_object().into_iter().flatten() {
        let status = text(&check["status"]).unwrap_or_else(|| "unknown".to_owned());
        reading.parts.push(Part { name: name.clone(), status, error: text(&check["error"]) });
    }
    let metrics = &now.metrics;
    reading.memory_bytes = metrics.sum("process_resident_memory_bytes");
    let limit = metrics.sum("process_memory_limit_bytes");
    reading.memory_percent = percent(reading.memory_bytes, limit);
    reading.open_files = metrics.sum("process_open_fds");
    reading.generations = metrics.sum("ba_copilot_generations_total");
    // Not a number if the database could not be queried.
    reading.jobs_open = metrics.sum("ba_copilot_jobs_open").filter(|jobs| jobs.is_finite());
    reading.disk_free_percent =
        percent(metrics.sum("ba_copilot_disk_free_bytes"), metrics.sum("ba_copilot_disk_total_bytes"));
    reading.budget_refusals = metrics.sum("ba_copilot_budget_refusals_total").unwrap_or_default();
}

/// Reads what happened between two scrapes.
fn compare(before: &Scrape, now: &Scrape, reading: &mut Reading) {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(0.001);
    let increase_of = |name: &str, fits: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        let sum = |scrape: &Scrape| scrape.metrics.sum_where(name, fits).unwrap_or_default();
        increase(sum(before), sum(now))
    };
    if now.metrics.sum("process_cpu_seconds_total").is_some() {
        reading.cpu_percent = Some(increase_of("process_cpu_seconds_total", &|_| true) / seconds * 100.0);
    }
    let requests = increase_of(REQUESTS, &is_load);
    let errors = increase_of(REQUESTS, &|labels| is_load(labels) && is_server_error(labels));
    reading.requests_per_s = Some(requests / seconds);
    reading.errors_percent = percent(Some(errors), Some(requests));
    let retries = increase_of("ba_copilot_retries_total", &|_| true);
    reading.retry_percent =
        percent(Some(retries), Some(increase_of("ba_copilot_generations_total", &|_| true)));
    let buckets = |scrape: &Scrape| scrape.metrics.buckets("ba_copilot_http_request_seconds", is_load);
    let old: Vec<(f64, f64)> = buckets(before);
    let new_buckets: Vec<(f64, f64)> = buckets(now)
        .into_iter()
        .map(|(bound, count)| {
            let earlier = old.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, count)| *count);
            (bound, increase(earlier, count))
        })
        .collect();
    let at = |q| quantile(&new_buckets, q).map(|seconds| seconds * 1e3);
    if let (Some(p50_ms), Some(p95_ms), Some(p99_ms)) = (at(0.5), at(0.95), at(0.99)) {
        reading.latency = Some(Latency { p50_ms, p95_ms, p99_ms });
    }
    reading.failing = failing(before, now);
}

fn failing(before: &Scrape, now: &Scrape) -> Vec<Failing> {
    let faults: BTreeSet<&BTreeMap<String, String>> =
        now.metrics.filter(REQUESTS, is_server_error).map(|sample| &sample.labels).collect();
    let mut failing: Vec<Failing> = faults
        .into_iter()
        .map(|labels| {
            let sum = |scrape: &Scrape| {
                scrape.metrics.sum_where(REQUESTS, |other| other == labels).unwrap_or_default()
            };
            let label = |name: &str| labels.get(name).map_or("?", String::as_str);
            Failing {
                route: format!("{} {}", label("method"), label("route")),
                status: label("status").to_owned(),
                count: increase(sum(before), sum(now)),
            }
        })
        .filter(|failing| failing.count > 0.0)
        .collect();
    failing.sort_by(|a, b| b.count.total_cmp(&a.count));
    failing.truncate(5);
    failing
}

/// A counter that is smaller than before was reset.
fn increase(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

fn percent(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let whole = whole.filter(|whole| *whole > 0.0)?;
    Some(part? / whole * 100.0)
}

fn is_load(labels: &BTreeMap<String, String>) -> bool {
    labels.get("route").is_none_or(|route| !PROBES.contains(&route.as_str()))
}

fn is_server_error(labels: &BTreeMap<String, String>) -> bool {
    labels.get("status").is_some_and(|status| status.starts_with('5')) && is_load(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scrape(at: Instant, metrics: &str) -> Scrape {
        let disk = json!({"status": "degraded", "error": "full"});
        Scrape {
            at,
            health_status: 200,
            health: json!({"status": "degraded", "checks": {"disk": disk}}),
            health_time: Duration::from_millis(2),
            metrics: Samples::parse(metrics).expect("metrics"),
        }
    }

    async fn evaluated(before: Option<Scrape>, now: Result<Scrape, ClientError>) -> Reading {
        evaluate("http://x".to_owned(), &mut Observation { before, now }).await
    }

    #[tokio::test]
    async fn state_is_the_worst_outcome() {
        let now = |health: Value| Ok(Scrape { health, ..scrape(Instant::now(), "") });
        for (now, state, error) in [
            (now(json!({"status": "healthy"})), State::Healthy, None),
            (now(json!({"status": "degraded"})), State::Degraded, None),
            (now(json!({"status": "unhealthy"})), State::Unhealthy, None),
            (now(json!("<html>")), State::Unhealthy, Some("/health answered with 200 and no status")),
            (Err(ClientError::TooLarge), State::Unreachable, Some("answered with more than 16 MB")),
        ] {
            let reading = evaluated(None, now).await;
            assert_eq!((reading.state, reading.error.as_deref()), (state, error));
        }
    }

    #[tokio::test]
    async fn rates_cover_the_time_between_two_scrapes() {
        let started = Instant::now();
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
        let before = scrape(started, &first.concat());
        let now = || scrape(started + Duration::from_secs(5), &second.concat());
        let reading = evaluated(Some(before), Ok(now())).await;
        assert_eq!((reading.state, reading.parts[0].error.as_deref()), (State::Degraded, Some("full")));
        assert_eq!((reading.requests_per_s, reading.errors_percent), (Some(2.0), Some(20.0)));
        assert_eq!((reading.cpu_percent, reading.memory_percent), (Some(20.0), Some(25.0)));
        // The counter was reset in between.
        assert_eq!(reading.retry_percent, Some(25.0));
        let failing: Vec<_> = reading.failing.iter().map(|f| (f.route.as_str(), f.count)).collect();
        assert_eq!(failing, [("GET /a", 1.0), ("GET /b", 1.0)]);
        let alone = evaluated(None, Ok(now())).await;
        assert_eq!((alone.requests_per_s, alone.cpu_percent), (None, None));
    }
}
