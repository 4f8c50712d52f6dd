//! Signs of life: what a server says of itself to anybody.

use std::time::Duration;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::{Came, Not, Question, Samples, Target, Visit, holds};

/// What the root says to programs; part of the contract.
const SERVICE: &str = "BA Copilot AI Service";
/// Health may take so long.
const HEALTH_TIME: Duration = Duration::from_secs(1);
/// A service that is asked whether it is there.
const SERVICE_TIME: Duration = Duration::from_secs(5);

pub(super) async fn root(visit: &mut Visit) -> Came {
    let answer = visit.target.ask(Question::get("/")).await?;
    let json = answer.json();
    holds(answer.status == 200 && json["service"] == SERVICE, || {
        format!("GET / answered with {} and no `service` that is \"{SERVICE}\".", answer.status)
    })?;
    let version = json["version"].as_str().unwrap_or("of an unknown version");
    holds(json["status"] == "running", || format!("Its `status` is {}, not \"running\".", json["status"]))?;
    Ok(format!("{SERVICE} {version}"))
}

pub(super) async fn ready(visit: &mut Visit) -> Came {
    for path in ["/livez", "/readyz"] {
        let answer = visit.target.ask(Question::get(path)).await?;
        let stands_by = visit.options.stands_by && path == "/readyz" && answer.json()["code"] == "standby";
        holds(answer.status == 200 || stands_by, || {
            let problem = answer.json();
            let detail = problem["detail"].as_str().unwrap_or_default();
            format!("GET {path} answered with {}. {detail}", answer.status).trim_end().to_owned()
        })?;
    }
    Ok("/livez and /readyz answer 200".to_owned())
}

pub(super) async fn health(visit: &mut Visit) -> Came {
    let answer = visit.target.ask(Question::get("/health")).await?;
    let json = answer.json();
    let status = json["status"].as_str().unwrap_or_default().to_owned();
    let checks = json["checks"].as_object().cloned().unwrap_or_default();
    visit.health = json;
    let expected = match status.as_str() {
        "healthy" | "degraded" => 200,
        "unhealthy" => 503,
        _ => return Err(Not::Well(format!("GET /health answered with {} and no status.", answer.status))),
    };
    holds(answer.status == expected, || {
        format!("GET /health says {status} with the status {}, which should be {expected}.", answer.status)
    })?;
    holds(!checks.is_empty(), || "GET /health tells of no `checks`.".to_owned())?;
    let troubled: Vec<String> = checks
        .iter()
        .filter(|(_, check)| !matches!(check["status"].as_str(), Some("healthy" | "configured")))
        .map(|(name, check)| match check["error"].as_str() {
            Some(error) => format!("{name}: {error}"),
            None => format!("{name} is {}", check["status"]),
        })
        .collect();
    holds(status != "unhealthy", || format!("The server is unhealthy ({}).", troubled.join("; ")))?;
    let parts: Vec<&str> = checks.keys().map(String::as_str).collect();
    Ok(match troubled.is_empty() {
        true => format!("{status}: {}", parts.join(", ")),
        false => format!("{status} ({})", troubled.join("; ")),
    })
}

pub(super) async fn health_time(visit: &mut Visit) -> Came {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        slowest = slowest.max(visit.target.ask(Question::get("/health")).await?.took);
        holds(slowest < HEALTH_TIME, || format!("It took {} ms.", slowest.as_millis()))?;
    }
    Ok(format!("the slowest of five answers took {} ms", slowest.as_millis()))
}

pub(super) async fn mcp_server(visit: &mut Visit) -> Came {
    let check = &visit.health["checks"]["mcp_server"];
    match check["status"].as_str() {
        Some(status @ ("healthy" | "configured" | "degraded" | "unhealthy")) => {
            Ok(format!("{status}, {}", check["mode"].as_str().unwrap_or("in a way it does not tell")))
        }
        _ => Err(Not::Well("GET /health has no `checks.mcp_server.status`.".to_owned())),
    }
}

pub(super) async fn services(visit: &mut Visit) -> Came {
    let default: &[&str] =
        if visit.keeps_nothing() { &["ai", "mcp"] } else { &["web", "api", "ai", "mcp", "database"] };
    let named = &visit.options.services;
    let mut wanted: Vec<&str> = match named.is_empty() {
        true => default.to_vec(),
        false => named.iter().map(String::as_str).collect(),
    };
    // Another process that generates for it, where there is one.
    if named.is_empty() && visit.health["checks"]["ai_service"].is_object() {
        wanted.push("ai_service");
    }
    let mut missing = Vec::new();
    for service in &wanted {
        if let Err(why) = works(visit, service).await {
            missing.push(format!("{}: {why}", service.split('=').next().unwrap_or(service)));
        }
    }
    holds(missing.is_empty(), || missing.join("; "))?;
    let names: Vec<&str> = wanted.iter().filter_map(|service| service.split('=').next()).collect();
    Ok(names.join(", "))
}

/// Whether a service works; if not, why.
async fn works(visit: &Visit, service: &str) -> Result<(), String> {
    if let Some((_, url)) = service.split_once('=') {
        let target = Target::new(url, None).map_err(|error| error.to_string())?;
        let health = target.ask(Question::get("/health").within(SERVICE_TIME)).await;
        let health = health.map_err(|error| error.to_string())?;
        return match health.status {
            200 => Ok(()),
            status => Err(format!("its /health answers {status}")),
        };
    }
    // A server that asks who calls is there.
    let question = match service {
        "web" => Question::get("/").with(ACCEPT, "text/html"),
        "api" => Question::get("/api/v1/projects?limit=1"),
        "ai" => Question::post("/api/v1/validate", &json!({"code": "flowchart LR\n  a --> b"})),
        "mcp" => return healthy(&visit.health, "mcp_server"),
        other => return healthy(&visit.health, other),
    };
    let answer = visit.target.ask(question.within(SERVICE_TIME)).await.map_err(|error| error.to_string())?;
    let html = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    match (service, answer.status) {
        ("web", 200) if !html => Err("no page for people is answered".to_owned()),
        ("web", 200 | 303) | (_, 200 | 401 | 403) => Ok(()),
        (_, status) => Err(format!("it answers {status}")),
    }
}

/// Whether the server reaches a part, by its own word.
fn healthy(health: &Value, part: &str) -> Result<(), String> {
    let check = &health["checks"][part];
    match check["status"].as_str() {
        Some("healthy" | "configured") => Ok(()),
        Some(status) => Err(format!("{status}: {}", check["error"].as_str().unwrap_or("see /health"))),
        None => Err("/health does not know it".to_owned()),
    }
}

pub(super) async fn metrics(visit: &mut Visit) -> Came {
    let answer = visit.target.ask(Question::get("/metrics").with(ACCEPT, "text/plain")).await?;
    holds(answer.status == 200, || format!("GET /metrics answered with {}.", answer.status))?;
    let samples = Samples::parse(&answer.body).map_err(|why| Not::Well(format!("GET /metrics: {why}.")))?;
    let requests = samples.sum("ba_copilot_http_requests_total");
    visit.metrics = samples;
    match requests {
        Some(requests) => Ok(format!("{requests} requests were counted")),
        None => Err(Not::Well("GET /metrics does not count `ba_copilot_http_requests_total`.".to_owned())),
    }
}

pub(super) async fn headers(visit: &mut Visit) -> Came {
    let answer = visit.target.ask(Question::get("/").with(ACCEPT, "text/html")).await?;
    let framed = answer.header("x-frame-options").is_some_and(|value| value.eq_ignore_ascii_case("deny"))
        || answer.header("content-security-policy").is_some_and(|value| value.contains("frame-ancestors"));
    let missing: Vec<&str> = [
        ("X-Content-Type-Options: nosniff", answer.header("x-content-type-options") == Some("nosniff")),
        ("X-Frame-Options: DENY", framed),
        ("Referrer-Policy", answer.header("referrer-policy").is_some()),
        ("X-Request-Id", answer.header("x-request-id").is_some()),
    ]
    .into_iter()
    .filter(|(_, there)| !there)
    .map(|(name, _)| name)
    .collect();
    holds(missing.is_empty(), || format!("GET / lacks {}.", missing.join(", ")))?;
    Ok("no sniffing, no frames, no referrer".to_owned())
}

pub(super) async fn docs(visit: &mut Visit) -> Came {
    let mut answer = visit.target.ask(Question::get("/docs").with(ACCEPT, "text/html")).await?;
    if (300..400).contains(&answer.status) {
        answer = visit.target.ask(Question::get("/docs/").with(ACCEPT, "text/html")).await?;
    }
    holds(answer.status == 200, || format!("GET /docs/ answered with {}.", answer.status))?;
    let page = answer.body.to_lowercase();
    holds(page.contains("swagger-ui"), || "The page at /docs is not Swagger UI.".to_owned())?;
    Ok("Swagger UI".to_owned())
}

pub(super) async fn openapi(visit: &mut Visit) -> Came {
    let answer = visit.target.ask(Question::get("/openapi.json")).await?;
    holds(answer.status == 200, || format!("GET /openapi.json answered with {}.", answer.status))?;
    let json = answer.json();
    let version = json["openapi"].as_str().unwrap_or_default().to_owned();
    holds(version.starts_with("3.1"), || "GET /openapi.json is not a document of OpenAPI 3.1.".to_owned())?;
    let paths = json["paths"].as_object().map_or(0, serde_json::Map::len);
    holds(json["paths"]["/api/v1/validate"].is_object(), || {
        "GET /openapi.json does not describe /api/v1/validate.".to_owned()
    })?;
    Ok(format!("OpenAPI {version}, {paths} paths"))
}
