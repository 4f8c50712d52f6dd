//! What a server reports about itself without authentication.

use std::time::Duration;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::run::VerifyRun;
use crate::{
    diagnostics::{CheckFailure, CheckResult, ensure, passed},
    prometheus::Samples,
    server_client::{Request, ServerClient},
};

/// The name at the root; part of the public contract.
const SERVICE: &str = "BA Copilot AI Service";
const MAX_HEALTH_TIME: Duration = Duration::from_secs(1);
const SERVICE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn root(run: &mut VerifyRun) -> CheckResult {
    let response = run.client.send(Request::get("/")).await?;
    let json = response.json();
    ensure(response.status == 200 && json["service"] == SERVICE, || {
        format!("GET / answered with {} and no `service` that is \"{SERVICE}\".", response.status)
    })?;
    let version = json["version"].as_str().unwrap_or("of an unknown version");
    ensure(json["status"] == "running", || format!("Its `status` is {}, not \"running\".", json["status"]))?;
    passed(format!("{SERVICE} {version}"))
}

pub(super) async fn ready(run: &mut VerifyRun) -> CheckResult {
    for path in ["/livez", "/readyz"] {
        let response = run.client.send(Request::get(path)).await?;
        let standby = run.options.standby && path == "/readyz" && response.json()["code"] == "standby";
        ensure(response.status == 200 || standby, || {
            let problem = response.json();
            let detail = problem["detail"].as_str().unwrap_or_default();
            format!("GET {path} answered with {}. {detail}", response.status).trim_end().to_owned()
        })?;
    }
    passed("/livez and /readyz answer 200")
}

pub(super) async fn health(run: &mut VerifyRun) -> CheckResult {
    let response = run.client.send(Request::get("/health")).await?;
    let json = response.json();
    let status = json["status"].as_str().unwrap_or_default().to_owned();
    let checks = json["checks"].as_object().cloned().unwrap_or_default();
    run.health = json;
    let expected = match status.as_str() {
        "healthy" | "degraded" => 200,
        "unhealthy" => 503,
        _ => {
            return Err(CheckFailure::failed(format!(
                "GET /health answered with {} and no status.",
                response.status
            )));
        }
    };
    ensure(response.status == expected, || {
        format!("GET /health reports {status} with status {}, which should be {expected}.", response.status)
    })?;
    ensure(!checks.is_empty(), || "GET /health has no `checks`.".to_owned())?;
    let unhealthy: Vec<String> = checks
        .iter()
        .filter(|(_, check)| !matches!(check["status"].as_str(), Some("healthy" | "configured")))
        .map(|(name, check)| match check["error"].as_str() {
            Some(error) => format!("{name}: {error}"),
            None => format!("{name} is {}", check["status"]),
        })
        .collect();
    ensure(status != "unhealthy", || format!("The server is unhealthy ({}).", unhealthy.join("; ")))?;
    let parts: Vec<&str> = checks.keys().map(String::as_str).collect();
    passed(match unhealthy.is_empty() {
        true => format!("{status}: {}", parts.join(", ")),
        false => format!("{status} ({})", unhealthy.join("; ")),
    })
}

pub(super) async fn health_time(run: &mut VerifyRun) -> CheckResult {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        slowest = slowest.max(run.client.send(Request::get("/health")).await?.elapsed);
        ensure(slowest < MAX_HEALTH_TIME, || format!("It took {} ms.", slowest.as_millis()))?;
    }
    passed(format!("the slowest of five responses took {} ms", slowest.as_millis()))
}

pub(super) async fn mcp_server(run: &mut VerifyRun) -> CheckResult {
    let check = &run.health["checks"]["mcp_server"];
    match check["status"].as_str() {
        Some(status @ ("healthy" | "configured" | "degraded" | "unhealthy")) => {
            passed(format!("{status}, {}", check["mode"].as_str().unwrap_or("mode unknown")))
        }
        _ => Err(CheckFailure::failed("GET /health has no `checks.mcp_server.status`.")),
    }
}

pub(super) async fn services(run: &mut VerifyRun) -> CheckResult {
    let default: &[&str] =
        if run.is_stateless() { &["ai", "mcp"] } else { &["web", "api", "ai", "mcp", "database"] };
    let named = &run.options.services;
    let mut wanted: Vec<&str> = match named.is_empty() {
        true => default.to_vec(),
        false => named.iter().map(String::as_str).collect(),
    };
    // The process that generates, if it is a separate one.
    if named.is_empty() && run.health["checks"]["ai_service"].is_object() {
        wanted.push("ai_service");
    }
    let mut missing = Vec::new();
    for service in &wanted {
        if let Err(why) = check_service(run, service).await {
            missing.push(format!("{}: {why}", service.split('=').next().unwrap_or(service)));
        }
    }
    ensure(missing.is_empty(), || missing.join("; "))?;
    let names: Vec<&str> = wanted.iter().filter_map(|service| service.split('=').next()).collect();
    passed(names.join(", "))
}

/// Checks that a service works.
async fn check_service(run: &VerifyRun, service: &str) -> Result<(), String> {
    if let Some((_, url)) = service.split_once('=') {
        let client = ServerClient::new(url, None).map_err(|error| error.to_string())?;
        let health = client.send(Request::get("/health").timeout(SERVICE_TIMEOUT)).await;
        let health = health.map_err(|error| error.to_string())?;
        return match health.status {
            200 => Ok(()),
            status => Err(format!("its /health answers {status}")),
        };
    }
    // A server that requires authentication works.
    let request = match service {
        "web" => Request::get("/").with_header(ACCEPT, "text/html"),
        "api" => Request::get("/api/v1/projects?limit=1"),
        "ai" => Request::post("/api/v1/validate", &json!({"code": "flowchart LR\n  a --> b"})),
        "mcp" => return check_component(&run.health, "mcp_server"),
        other => return check_component(&run.health, other),
    };
    let response =
        run.client.send(request.timeout(SERVICE_TIMEOUT)).await.map_err(|error| error.to_string())?;
    let html = response.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    match (service, response.status) {
        ("web", 200) if !html => Err("no page is served".to_owned()),
        ("web", 200 | 303) | (_, 200 | 401 | 403) => Ok(()),
        (_, status) => Err(format!("it answers {status}")),
    }
}

/// Checks a component by the report of the server.
fn check_component(health: &Value, part: &str) -> Result<(), String> {
    let check = &health["checks"][part];
    match check["status"].as_str() {
        Some("healthy" | "configured") => Ok(()),
        Some(status) => Err(format!("{status}: {}", check["error"].as_str().unwrap_or("see /health"))),
        None => Err("/health does not list it".to_owned()),
    }
}

pub(super) async fn metrics(run: &mut VerifyRun) -> CheckResult {
    let response = run.client.send(Request::get("/metrics").with_header(ACCEPT, "text/plain")).await?;
    ensure(response.status == 200, || format!("GET /metrics answered with {}.", response.status))?;
    let samples = Samples::parse(&response.body)
        .map_err(|why| CheckFailure::failed(format!("GET /metrics: {why}.")))?;
    let requests = samples.sum("ba_copilot_http_requests_total");
    run.metrics = samples;
    match requests {
        Some(requests) => passed(format!("{requests} requests were counted")),
        None => Err(CheckFailure::failed("GET /metrics does not count `ba_copilot_http_requests_total`.")),
    }
}

pub(super) async fn headers(run: &mut VerifyRun) -> CheckResult {
    let response = run.client.send(Request::get("/").with_header(ACCEPT, "text/html")).await?;
    let framed = response.header("x-frame-options").is_some_and(|value| value.eq_ignore_ascii_case("deny"))
        || response.header("content-security-policy").is_some_and(|value| value.contains("frame-ancestors"));
    let missing: Vec<&str> = [
        ("X-Content-Type-Options: nosniff", response.header("x-content-type-options") == Some("nosniff")),
        ("X-Frame-Options: DENY", framed),
        ("Referrer-Policy", response.header("referrer-policy").is_some()),
        ("X-Request-Id", response.header("x-request-id").is_some()),
    ]
    .into_iter()
    .filter(|(_, there)| !there)
    .map(|(name, _)| name)
    .collect();
    ensure(missing.is_empty(), || format!("GET / lacks {}.", missing.join(", ")))?;
    passed("all present")
}

pub(super) async fn docs(run: &mut VerifyRun) -> CheckResult {
    let mut response = run.client.send(Request::get("/docs").with_header(ACCEPT, "text/html")).await?;
    if (300..400).contains(&response.status) {
        response = run.client.send(Request::get("/docs/").with_header(ACCEPT, "text/html")).await?;
    }
    ensure(response.status == 200, || format!("GET /docs/ answered with {}.", response.status))?;
    let page = response.body.to_lowercase();
    ensure(page.contains("swagger-ui"), || "The page at /docs is not Swagger UI.".to_owned())?;
    passed("Swagger UI")
}

pub(super) async fn openapi(run: &mut VerifyRun) -> CheckResult {
    let response = run.client.send(Request::get("/openapi.json")).await?;
    ensure(response.status == 200, || format!("GET /openapi.json answered with {}.", response.status))?;
    let json = response.json();
    let version = json["openapi"].as_str().unwrap_or_default().to_owned();
    ensure(version.starts_with("3.1"), || "GET /openapi.json is not a document of OpenAPI 3.1.".to_owned())?;
    let paths = json["paths"].as_object().map_or(0, serde_json::Map::len);
    ensure(json["paths"]["/api/v1/validate"].is_object(), || {
        "GET /openapi.json does not describe /api/v1/validate.".to_owned()
    })?;
    passed(format!("OpenAPI {version}, {paths} paths"))
}
